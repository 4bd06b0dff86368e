"""Blocks done by the workers of dask.distributed: of this machine, or of any cluster."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, JobError
from .manifest import Block
from .stages import JOINING, Stages
from .work import Crew, Filled
from .worker import Assignment, do_block, forget

if TYPE_CHECKING:
    from distributed import Client

_ANSWER = 15.0
"""Seconds that a scheduler may take to answer."""

_LOOK_AGAIN = 2.0
"""Seconds after which workers are counted anew: an adaptive cluster grows and shrinks."""

_FIRST = 8
"""Blocks to ask for while there is no worker, so that an adaptive cluster starts some."""

_LARGEST = 2**24
"""Bytes of an assignment, which goes with every block."""

_SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://", "inproc://")


class Cluster:
    """Workers of one client; the stages that join all blocks are done in this process.

    Parameters
    ----------
    client : Client
        Of the scheduler.
    assignment : Assignment
        What the workers are to know.
    stages : Stages
        The same prediction, in this process.
    """

    def __init__(self, client: Client, assignment: Assignment, stages: Stages) -> None:
        self._client, self._assignment, self._stages = client, assignment, stages
        self._remote: Executor = client.get_executor(pure=False)
        self._here: Executor = ThreadPoolExecutor(1, thread_name_prefix="joining")
        self._threads, self._looked = 0, -_LOOK_AGAIN

    @property
    def slots(self) -> int:
        """Two blocks for every thread of a worker, so that none waits for the next."""
        if time.monotonic() - self._looked > _LOOK_AGAIN:
            self._threads, self._looked = sum(self._client.nthreads().values()), time.monotonic()
        return 2 * self._threads or _FIRST

    def submit(self, block: Block, following: Block | None) -> Future[Filled]:
        """Begin a block; whoever will do the following one reads for it."""
        if block.stage in JOINING:
            return self._here.submit(self._stages.do, block)
        return self._remote.submit(do_block, self._assignment, block.stage, block.index)

    def abandon(self, futures: list[Future[Filled]]) -> None:
        """Give up blocks that nobody would do any more."""
        if not self._client.nthreads():
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """Let go of the threads of this process."""
        self._here.shutdown(cancel_futures=True)


@contextmanager
def crew_of(scheduler: str, assignment: Assignment, stages: Stages, workers: int | None = None) -> Iterator[Crew]:
    """Start or find workers.

    Parameters
    ----------
    scheduler : str
        ``local``: processes on this machine, one per GPU or else per processor core. ``threads``: threads of this
        process. ``tcp://HOST:PORT``: a cluster of dask.distributed that runs.
    assignment : Assignment
        What the workers are to know.
    stages : Stages
        The same prediction, in this process.
    workers : int, optional
        How many, for ``local`` and ``threads``.

    Raises
    ------
    ConfigError
        If the scheduler is not known or does not answer, or dask.distributed is not installed.
    """
    _check(scheduler, workers)
    _check_sendable(assignment)
    if scheduler.startswith(_SCHEMES):
        with _connected(scheduler) as client:
            yield from _crew(client, assignment, stages)
        return
    from dask.system import CPU_COUNT as cores

    if scheduler == "threads":
        count = workers or cores
        one_each = replace(assignment, threads=max(1, cores // count), alone=False)
        with _threads_of_torch(), _local(count, processes=False) as client:
            yield from _crew(client, one_each, stages)
        return
    gpus = _gpus(assignment.device)
    count = workers or gpus or cores
    # Of two threads one reads and decodes while a GPU computes for the other.
    with _local(count, processes=True, threads=2 if gpus else 1) as client:
        yield from _crew(client, replace(assignment, threads=max(1, cores // count)), stages)


def _crew(client: Client, assignment: Assignment, stages: Stages) -> Iterator[Crew]:
    crew = Cluster(client, assignment, stages)
    try:
        yield crew
    finally:
        crew.close()
        forget(assignment.token)


def _check(scheduler: str, workers: int | None) -> None:
    if scheduler not in ("local", "threads") and not scheduler.startswith(_SCHEMES):
        raise ConfigError(
            f"the scheduler {scheduler!r} is not known",
            "local, threads, or the address of a scheduler of dask.distributed such as tcp://192.168.0.5:8786",
            "leave --scheduler away to predict in one process",
        )
    if workers is not None and (workers < 1 or scheduler.startswith(_SCHEMES)):
        raise ConfigError(
            f"{workers} workers cannot be started for the scheduler {scheduler}",
            "1 or more, with local or threads",
            "start workers of a cluster where its scheduler runs",
        )
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "dask.distributed is not installed",
            "the package distributed, for --scheduler",
            'install it with pip install "napari-aitrain[cluster]"',
        ) from error


def _check_sendable(assignment: Assignment) -> None:
    import cloudpickle

    try:
        size = len(cloudpickle.dumps(assignment))
    except (TypeError, AttributeError, ValueError, pickle.PicklingError) as error:
        raise ConfigError(
            f"the image cannot be sent to workers: {error}", "an image in a file, or anything that can be copied",
            "save the image as a file first",
        ) from error  # fmt: skip
    if size > _LARGEST:
        raise ConfigError(
            f"the image in memory takes {size / 2**20:.0f} MiB, and every block would send it to a worker",
            f"an image in a file, or one of at most {_LARGEST / 2**20:.0f} MiB",
            "save the image as a file on a disk that all workers reach",
        )


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no scheduler answers at {address}",
            "the address of a scheduler of dask.distributed that runs",
            "start it with `dask scheduler`, and give the address that it prints",
        ) from error
    with client:
        _check_workers(client)
        yield client


def _check_workers(client: Client) -> None:
    """Find out whether the workers that are there can import what they need."""
    try:
        client.run(_import_all)
    except ImportError as error:
        raise ConfigError(
            f"a worker cannot run napari-aitrain: {error}",
            "the same packages for all workers as here",
            "start the workers in an environment in which napari-aitrain[cluster] is installed",
        ) from error
    except (OSError, RuntimeError) as error:
        raise JobError(f"the workers cannot be asked: {error}", "workers that answer", "restart the cluster") from error


def _import_all() -> None:
    import_module("napari_aitrain.inference.volume")


@contextmanager
def _local(count: int, processes: bool, threads: int = 1) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    options: dict[str, Any] = {"n_workers": count, "threads_per_worker": threads}
    if not processes:
        options = {"n_workers": 1, "threads_per_worker": count}
    with (
        LocalCluster(
            **options, processes=processes, dashboard_address=None, memory_limit=0, silence_logs=logging.ERROR
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _threads_of_torch() -> Iterator[None]:
    """Put the number of threads back that the workers of this process have set."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _gpus(device: str) -> int:
    import torch

    return torch.cuda.device_count() if device in ("auto", "cuda") else 0
