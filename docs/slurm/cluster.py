"""Run a prediction on SLURM workers that come and go with the work: needs `pip install "napari-aitrain[cluster]"`.

    python cluster.py --partition gpu --gpus 1 --most 8 -- napari-aitrain predict MODEL IMAGE --out OUT.ome.zarr

The command is run here, with `--scheduler` and the address of the workers' scheduler added to it. With `--local 2` two
processes of this machine take the place of SLURM, to try it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from distributed import LocalCluster
from distributed.deploy import SpecCluster


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the workers, run the command, and return its exit code; workers that are left are cancelled."""
    options = _parser().parse_args(arguments)
    with _local(options) if options.local else _slurm(options) as cluster:
        print(f"Scheduler: {cluster.scheduler_address}", flush=True)
        return subprocess.run([*options.command, "--scheduler", cluster.scheduler_address]).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partition", help="partition of SLURM")
    parser.add_argument("--account", help="account of SLURM")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs of a worker: 1, or 0 for processors alone")
    parser.add_argument("--cores", type=int, default=4, help="processor cores of a worker")
    parser.add_argument("--memory", default="16GB", help="memory of a worker")
    parser.add_argument("--time", default="02:00:00", help="longest time of a worker; a new one takes over")
    parser.add_argument("--least", type=int, default=0, help="workers that always run")
    parser.add_argument("--most", type=int, default=8, help="workers that run at once")
    parser.add_argument("--prologue", action="append", default=[], help="line to run first: 'module load cuda'")
    parser.add_argument("--interface", help="network that workers reach this machine by: ib0")
    parser.add_argument("--local", type=int, default=0, metavar="N", help="take N processes of this machine instead")
    parser.add_argument("command", nargs="+", help="after --: napari-aitrain predict MODEL IMAGE --out OUT")
    return parser


def _local(options: argparse.Namespace) -> SpecCluster:
    return LocalCluster(n_workers=options.local, threads_per_worker=1, dashboard_address=None)


def _slurm(options: argparse.Namespace) -> SpecCluster:
    from dask_jobqueue import SLURMCluster

    cluster = SLURMCluster(
        queue=options.partition,
        account=options.account,
        # One block at a time: torch itself uses the cores.
        cores=1,
        processes=1,
        job_cpu=options.cores,
        memory=options.memory,
        walltime=options.time,
        interface=options.interface,
        job_extra_directives=[f"--gres=gpu:{options.gpus}"] if options.gpus else [],
        job_script_prologue=[f"export OMP_NUM_THREADS={options.cores}", *options.prologue],
        scheduler_options={"dashboard_address": None},
    )
    cluster.adapt(minimum=options.least, maximum=options.most)
    return cluster


if __name__ == "__main__":
    sys.exit(main())
