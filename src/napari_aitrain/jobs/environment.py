"""The environment of a worker: threads that do not spin when the machine is busy."""

from __future__ import annotations

import os
from collections.abc import MutableMapping


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def set_threads(environ: MutableMapping[str, str], *, beside_window: bool) -> None:
    """Set the variables that OpenMP reads when torch is imported; those a person has set stay.

    Waiting threads of libgomp spin by default: beside another busy process that costs a factor of 20, and
    ``PASSIVE`` a tenth of that (measured with two torch processes on two cores).
    """
    environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    cores = usable_cores()
    environ.setdefault("OMP_NUM_THREADS", str(max(1, cores - 1) if beside_window else cores))
    environ.setdefault("MKL_NUM_THREADS", environ["OMP_NUM_THREADS"])
