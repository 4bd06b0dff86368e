"""The environment of a worker: threads that do not spin when the machine is busy, and where its output goes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def set_threads(environ: MutableMapping[str, str], *, beside_window: bool, processes: int = 1) -> None:
    """Set the variables that OpenMP reads when torch is imported; those a person has set stay.

    Waiting threads of libgomp spin by default: beside another busy process that costs a factor of 20, and
    ``PASSIVE`` a tenth of that (measured with two torch processes on two cores).
    """
    environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    cores = usable_cores() - 1 if beside_window else usable_cores()
    environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    environ.setdefault("MKL_NUM_THREADS", environ["OMP_NUM_THREADS"])


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Compute with so many threads meanwhile; None leaves them as they are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send what is printed, by native code too, to a file while a job runs."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with open(path, "ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
