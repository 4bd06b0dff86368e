"""The network of a training that goes on from a model."""

from __future__ import annotations

from ..errors import ModelError
from ..models import Model
from ..nets import AnyNetworkConfig, CellposeConfig, read_network
from ..nets.cellpose_config import MOST_CHANNELS, stretch
from ..tasks.protocol import Task, VoxelSize


def network_of(
    parent: Model | None, task: Task, dims: int, channels: int, voxel_size: VoxelSize | None
) -> AnyNetworkConfig:
    """Return the model's network, made for the task and the images of a training.

    Parameters
    ----------
    parent : Model, optional
        What the training goes on from.
    task : Task
        What is learned.
    dims : {2, 3}
        Of the training set.
    channels : int
        Of its images.
    voxel_size : tuple of float, optional
        Of its images, z, y, x.

    Raises
    ------
    ModelError
        If it cannot be.
    """
    found = None if parent is None else read_network(parent.card.network)
    if found is None or found.architecture != task.architecture:
        raise unfit(None if parent is None else str(parent.folder), type(task))
    if isinstance(found, CellposeConfig):
        if channels > MOST_CHANNELS:
            raise ModelError(
                f"the images have {channels} channels",
                f"at most {MOST_CHANNELS} for Cellpose",
                "choose the channels to use (--channels)",
            )
        far = stretch(voxel_size) if dims == 3 else 1.0
        return found.model_copy(update={"dims": dims, "in_channels": channels, "anisotropy": far})
    if found.dims != dims:
        assert parent is not None
        raise ModelError(
            f"{parent.folder} takes {found.dims}-D images",
            f"a model for {dims}-D images, like the training set",
            "start from another model, or from scratch",
        )
    heads = task.heads + task.auxiliary_heads(dims)
    return found.model_copy(update={"heads": heads, "in_channels": channels})


def unfit(parent: str | None, task: type[Task]) -> ModelError:
    """Return the error for a training that begins with nothing, or with a model whose network does not fit its task."""
    if task.architecture == "cellpose":
        began = "from scratch" if parent is None else f"with {parent}, which has another network"
        return ModelError(
            f"Cellpose cannot be trained {began}",
            "start_from: cpsam_v2, or a model of Cellpose's network",
            "start from cpsam_v2, or choose the task instances, which learns from scratch",
        )
    return ModelError(
        f"{parent} has the network of Cellpose, which gives flows",
        f"a model whose network fits the task {task.name}",
        "choose the task cellpose, or start from another model or from scratch",
    )
