#!/bin/bash
# Train a job folder on every GPU of two machines, or go on with it:
#   sbatch train.sh JOB
#SBATCH --job-name=aitrain-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@300
set -euo pipefail

job=$1
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "${PROCESSES:-gpu}" \
    --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$head:${PORT:-29500}" \
    -m napari_aitrain train "$job" &
running=$!

# Five minutes before the time is over: save the model, so that the next sbatch goes on from there.
trap 'napari-aitrain jobs stop "$job" --grace 240 || true' USR1
# A signal ends a wait, too: then wait anew.
until wait "$running"; do
    code=$?
    ((code > 128)) || exit "$code"
done
