#!/bin/bash
# Predict a volume with workers that SLURM starts as they are needed. This job only hands out blocks. Submit it again
# to go on: finished blocks are never done twice.
#   sbatch predict.sh MODEL IMAGE OUT.ome.zarr
#SBATCH --job-name=aitrain-predict
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=24:00:00
set -euo pipefail

# SLURM runs a copy of this script: submit it from its own folder, where cluster.py is.
python "${SLURM_SUBMIT_DIR:-$PWD}/cluster.py" --partition gpu --gpus 1 --cores 8 --memory 32GB --time 02:00:00 --most 8 \
    -- napari-aitrain predict "$1" "$2" --out "$3" --resume
