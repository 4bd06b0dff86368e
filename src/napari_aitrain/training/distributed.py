"""Training in several processes: one leads and writes, the others take each step with it.

Every process stands at the same random state and draws its own share of one joint batch. Losses, batch norms and
gradients are those of the joint batch, so that N processes learn what one would with a batch N times as large; the
checkpoint is the same too, and a job goes on with any number of processes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import safetensors.torch
import torch
import torch.distributed as dist

from ..errors import ConfigError, DeviceError
from ..nets.device import choose_device
from .distributed_meeting import FOREVER, Meeting
from .distributed_place import Place
from .distributed_sums import join_norms, joint_sum
from .sampling import PatchSampler
from .setup import Setup

Order = dict[str, Any]
_ORDER_BYTES = 256


class Alone:
    """What the loop asks of the processes that train with it, where there are none."""

    size = 1

    def device(self, name: str) -> torch.device:
        """Return where this process computes."""
        return choose_device(name)

    def join(self, setup: Setup) -> None:
        """Take up the leader's state, and learn together from now on."""

    def share(self, setup: Setup) -> None:
        """Take up the leader's weights, optimiser and random state."""

    def targets(self, sampler: PatchSampler) -> None:
        """Make the targets of all crops, each process its share; return when all are there."""

    def call(self, kind: str, **data: float) -> None:
        """Have the other processes do what the leader does now."""

    @contextlib.contextmanager
    def telling(self, keep: Callable[[], None]) -> Iterator[None]:
        """Tell the others of a failure, and turn one that they caused into their words, after `keep`."""
        yield

    def leave(self) -> None:
        """Part from the others."""


class Team(Alone):
    """The processes that train together.

    Parameters
    ----------
    meeting : Meeting
        Where they find each other.
    device : str
        The device in the config.

    Raises
    ------
    ConfigError, DeviceError
        If the processes cannot have a device each.
    JobError
        If one of them has gone.
    """

    def __init__(self, meeting: Meeting, device: str) -> None:
        self._meeting, self._place = meeting, meeting.place
        self.size = meeting.place.size
        on_gpu = self.device(device).type == "cuda"
        meeting.gather()
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=meeting.group_store(),
            rank=self._place.rank,
            world_size=self.size,
        )
        self._talk = dist.new_group(backend="gloo", timeout=FOREVER)

    def device(self, name: str) -> torch.device:
        """Return where this process computes: on a GPU of its own, or on the processor."""
        return device_of(self._place, name)

    def join(self, setup: Setup) -> None:
        """Take up the leader's state, and learn together from now on.

        Raises
        ------
        ConfigError
            If a step has fewer patches than there are processes.
        """
        self.share(setup)
        if setup.batch_size < self.size:
            raise ConfigError(
                f"a step of {setup.batch_size} patches cannot be shared by {self.size} processes",
                "a batch_size of at least the number of processes; it counts the patches of all",
                f"take {setup.batch_size} processes, or begin a new job with --set batch_size={self.size}",
            )
        self.targets(setup.sampler)
        setup.sampler.rank, setup.sampler.ranks = self._place.rank, self.size
        trainer = setup.trainer
        join_norms(trainer.network, trainer.device)
        ids = [trainer.device] if trainer.device.type == "cuda" else None
        module = torch.nn.parallel.DistributedDataParallel(trainer.network, device_ids=ids)
        trainer.learn_jointly(module, joint_sum, self._mean)

    def _mean(self, value: torch.Tensor) -> float:
        total = value.detach().float().cpu()
        dist.all_reduce(total)
        return total.item() / self.size

    def share(self, setup: Setup) -> None:
        """Take up the leader's weights, optimiser and random state."""
        generator = setup.sampler.generator
        if not self._place.leads:
            order = self.hear()
            data = torch.empty(order["bytes"], dtype=torch.uint8)
            dist.broadcast(data, 0, group=self._talk)
            tensors = safetensors.torch.load(data.numpy().tobytes())
            generator.set_state(tensors.pop("generator"))
            setup.trainer.restore(tensors, order)
            setup.batch_size = order["batch_size"]
            return
        tensors, plain = setup.trainer.state()
        tensors["generator"] = generator.get_state()
        packed = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
        self.call("state", bytes=len(packed), batch_size=setup.batch_size, **plain)
        dist.broadcast(torch.frombuffer(bytearray(packed), dtype=torch.uint8), 0, group=self._talk)

    def targets(self, sampler: PatchSampler) -> None:
        """Make the targets of all crops, each process its share; return when all are there."""
        for crop in sampler.crops[self._place.rank :: self.size]:
            sampler.prepared(crop)
        dist.barrier(group=self._talk)

    def call(self, kind: str, **data: float) -> None:
        """Have the other processes do what the leader does now."""
        text = json.dumps({"kind": kind, **data}).encode()
        dist.broadcast(torch.frombuffer(bytearray(text.ljust(_ORDER_BYTES)), dtype=torch.uint8), 0, group=self._talk)

    def hear(self) -> Order:
        """Return what the leader calls next."""
        buffer = torch.empty(_ORDER_BYTES, dtype=torch.uint8)
        dist.broadcast(buffer, 0, group=self._talk)
        order: Order = json.loads(buffer.numpy().tobytes())
        return order

    @contextlib.contextmanager
    def telling(self, keep: Callable[[], None]) -> Iterator[None]:
        """Tell the others of a failure, and turn one that they caused into their words, after `keep`."""
        try:
            yield
        except Exception as error:  # whatever it is, the others wait for this process
            cause = self._meeting.other_failure(error)
            if cause is None:
                self._meeting.tell_failure(error)
                raise
            keep()
            raise cause from error

    def leave(self) -> None:
        """Part from the others."""
        if dist.is_initialized():
            dist.destroy_process_group()


def device_of(place: Place, name: str) -> torch.device:
    """Return where one of several processes computes.

    Raises
    ------
    ConfigError
        If the setting names one device for all.
    DeviceError
        If there are fewer GPUs than processes.
    """
    if name == "mps" or name.startswith("cuda:"):
        raise ConfigError(
            f"device {name!r} is one device for {place.size} processes", "auto, cuda or cpu", "use --device auto"
        )
    device = choose_device(name)
    if device.type == "mps":
        return torch.device("cpu")
    if device.type == "cpu":
        return device
    if place.local_size > torch.cuda.device_count():
        raise DeviceError(
            f"{place.local_size} processes share {torch.cuda.device_count()} GPUs of this machine",
            "a GPU for each process",
            "take as many processes as there are GPUs, or --device cpu",
        )
    torch.cuda.set_device(place.local_rank)
    return torch.device("cuda", place.local_rank)
