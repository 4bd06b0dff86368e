"""What a worker of a cluster does: it opens model and image once, and then does blocks."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError, VolumeError
from ..models import load_model
from ..volumes import Normalisation, Volume
from ..volumes.damage import DamagedChunk
from .fingerprint import model_fingerprint
from .image import PreparedImage, choose_view, clip_of
from .info import read_info
from .manifest import Block
from .planning import make_network
from .predictor import Network
from .stages import Stages

_making = threading.Lock()
_made: dict[str, Stages] = {}


@dataclass(frozen=True)
class Assignment:
    """All that a worker must know of a prediction.

    Parameters
    ----------
    store, model : Path
        Folders, on a disk that all workers reach.
    image : Volume or callable
        The image, or what opens it.
    device, precision : str
        See `choose_device` and `choose_precision`. Of several GPUs a worker takes one by the number in its name.
    resample : bool
        See `prepare_image`.
    threads : int, optional
        Processor threads that a network uses; as many as the worker's environment says if not given.
    alone : bool
        See `Stages`.
    scale : float, optional
        Voxels of the network per voxel of the prediction; the model's own if not given.
    token : str
        Told apart by this.
    """

    store: Path
    model: Path
    image: Volume | Callable[[], Volume]
    device: str = "auto"
    precision: str = "auto"
    resample: bool = False
    threads: int | None = None
    alone: bool = True
    scale: float | None = None
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


def do_block(assignment: Assignment, stage: str, index: int) -> tuple[DamagedChunk, ...]:
    """Do one block of a prediction; see `Stages.do`."""
    return _stages(assignment).do(Block(stage, index))


def _stages(assignment: Assignment) -> Stages:
    with _making:
        if assignment.token not in _made:
            # Of an earlier prediction nothing is needed any more, and its network may fill a GPU.
            _made.clear()
            _made[assignment.token] = _make(assignment)
        return _made[assignment.token]


def forget(token: str) -> None:
    """Give the memory of a prediction back that ran in this process."""
    with _making:
        _made.pop(token, None)


def _make(assignment: Assignment) -> Stages:
    from .volume import make_stages

    try:
        info, model = read_info(assignment.store), load_model(assignment.model)
        model = model if assignment.scale is None else model.of_scale(assignment.scale)
    except (VolumeError, OSError) as error:
        raise ConfigError(
            f"a worker does not find {assignment.store} or {assignment.model}",
            "folders on a disk that every worker reaches under the same name",
            "put the output, the model and the image on the cluster's shared disk",
        ) from error
    image = assignment.image if isinstance(assignment.image, Volume) else assignment.image()
    view = choose_view(model, image, assignment.resample)
    if (view.volume.fingerprint, model_fingerprint(model)) != (info.image_fingerprint, info.model_fingerprint):
        raise ConfigError(
            f"a worker finds another image or model at {info.image} and {assignment.model}",
            "the image and model that the prediction was begun with",
            "check that all workers see the same disk, then go on with --resume",
        )
    size = view.volume.voxel_size or model.card.voxel_size
    normalisation = Normalisation(low=info.low, high=info.high, clip=clip_of(model.card))
    prepared = PreparedImage(view.volume, normalisation, view.magnification, (), (), view.resampled, size)
    network: list[Network] = []
    making = threading.Lock()

    def once() -> Network:
        with making:
            if not network:
                if assignment.threads is not None:
                    import torch

                    torch.set_num_threads(assignment.threads)
                network.append(make_network(model, _own_device(assignment.device), assignment.precision))
            return network[0]

    return make_stages(assignment.store, info, model.task(), model, once, prepared, assignment.alone)


def _own_device(device: str) -> str:
    """Return the GPU of this worker, where there are several."""
    import torch
    from distributed import get_worker

    count = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    if count < 2:
        return device
    digits = "".join(c for c in str(get_worker().name).rpartition("-")[2] if c.isdigit())
    return f"cuda:{int(digits or 0) % count}"
