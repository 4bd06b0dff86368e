"""The typed config of a training: one model that the YAML, the command line and the window share."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..annotation.boxes import Box, Status
from ..annotation.choosing import Choice
from ..annotation.policy import Policy
from ..geometry import Triple, parse_magnification
from ..location import LocationField

CONFIG_VERSION = 2
AUTO, SCRATCH = "auto", "scratch"
"""What `TrainConfig.start_from` may say instead of naming a model."""


_Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Source(_Strict):
    """One training source: an image, its ground truth, boxes and a magnification."""

    image: Annotated[LocationField, Field(description="Image file, zarr or folder of images; or its URL.")]
    labels: Annotated[LocationField, Field(description="Ground truth of the same shape, or a folder of it.")]
    boxes: Annotated[
        tuple[Box, ...],
        Field(description="Regions to use; none means everything that is labelled."),
    ] = ()
    magnification: Annotated[str, Field(description="Downsampling to train at: 1, 2, or x-y-z such as 2-2-1.")] = "1"
    voxel_size: Annotated[
        tuple[_Length, _Length, _Length] | None,
        Field(description="Voxel size in nm in z, y, x order, where the file does not say it."),
    ] = None
    channels: Annotated[
        tuple[str | int, ...] | None,
        Field(description="Channels to use, by name or number from 0; none means all."),
    ] = None
    axes: Annotated[
        str | None, Field(description="Order of the image's axes, such as zyx or tczyx, to correct a guess.")
    ] = None
    sparse: Annotated[
        bool, Field(description="0 means unlabelled instead of background, where no box says otherwise.")
    ] = False
    background_id: Annotated[
        int | None, Field(ge=1, description="The label that was painted as background in sparse ground truth.")
    ] = None
    object_classes: Annotated[
        LocationField | None,
        Field(
            description="Classes of the ground truth's objects, to be learned as well: a CSV with the columns id and "
            "class, or what Classify has kept."
        ),
    ] = None

    @field_validator("magnification")
    @classmethod
    def _known_magnification(cls, value: str) -> str:
        parse_magnification(value)
        return value

    @property
    def magnification_zyx(self) -> Triple:
        """The magnification in z, y, x order."""
        return parse_magnification(self.magnification)


class TrainConfig(_Strict):
    """Everything a training needs to run again and give the same model."""

    version: Annotated[int, Field(ge=1, description="Version of this file's format.")] = CONFIG_VERSION
    name: Annotated[str, Field(min_length=1, description="Name of the model.")] = "model"
    comments: Annotated[str, Field(description="Notes that stay with the model.")] = ""
    task: Annotated[
        str,
        Field(
            description="What to segment: instances, semantic, neurons, em-instances or cellpose; or a script, MY.py."
        ),
    ] = "instances"
    task_settings: Annotated[
        dict[str, Any], Field(description="The task's own settings, if other than its defaults.")
    ] = {}
    sources: Annotated[tuple[Source, ...], Field(description="The training set.")] = ()
    dims: Annotated[
        Literal["auto", "2", "3"], Field(description="2: slice by slice; 3: whole volumes; auto: by the boxes.")
    ] = "auto"
    statuses: Annotated[tuple[Status, ...], Field(description="Use boxes of these statuses; rejected ones never.")] = (
        "in progress",
        "done",
        "reviewed",
    )
    tags: Annotated[tuple[str, ...], Field(description="Use boxes with any of these tags; none means all.")] = ()
    changed_since: Annotated[
        date | None, Field(description="Use boxes that were changed on this day or later; such as 2026-11-30.")
    ] = None
    changed_until: Annotated[
        date | None, Field(description="Use boxes that were changed last on this day or earlier.")
    ] = None
    classes: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...],
        Field(
            description="Classes to learn, by id, where labels are classes; voxels of others count as background. None "
            "means all; the background is always kept."
        ),
    ] = ()
    class_names: Annotated[
        dict[Annotated[int, Field(ge=0)], str], Field(description="Names of classes, by id; the model keeps them.")
    ] = {}
    validation_fraction: Annotated[
        float,
        Field(gt=0, lt=1, description="Share kept for validation where no box has that role."),
    ] = 0.2
    policy: Annotated[
        Policy | None,
        Field(description="Rules for the training set; what it leaves out the project's or the user's policy says."),
    ] = None
    minutes: Annotated[float | None, Field(gt=0, description="Stop after this many minutes of training.")] = None
    steps: Annotated[int | None, Field(ge=1, description="Stop after this many steps.")] = None
    then_predict: Annotated[
        LocationField | None,
        Field(description="Image, or folder of images, that the model predicts as soon as the training has ended."),
    ] = None
    then_out: Annotated[
        Path | None,
        Field(description="Labels file for that, OUT.tif or OUT.ome.zarr; a folder for a folder. None: in its job."),
    ] = None
    seed: Annotated[int, Field(ge=0, description="Seed of every random choice.")] = 0
    device: Annotated[str, Field(description="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(description="auto: bfloat16 where the processor or GPU computes in it."),
    ] = "auto"
    threads: Annotated[
        int | None, Field(ge=1, description="Processor threads; none means one less than there are cores.")
    ] = None
    network: Annotated[
        Literal["auto", "small", "medium", "wide", "large"],
        Field(description="Size of the network; auto chooses by device and time."),
    ] = "auto"
    start_from: Annotated[
        str,
        Field(
            min_length=1,
            description="What the network knows before it sees your labels. auto: the starter model that fits, which "
            "has learned from openly licensed images, else nothing; scratch: nothing; or a model, by name or folder.",
        ),
    ] = AUTO
    freeze: Annotated[
        Literal["auto", "nothing", "encoder"],
        Field(description="Parts of the model to start from that stay as they are; auto is what tests found best."),
    ] = "auto"
    batch_size: Annotated[
        int | None,
        Field(ge=1, description="Patches per step, of all processes together; none is found by a real step."),
    ] = None
    patch_shape: Annotated[
        Triple | None, Field(description="Voxels of a patch in z, y, x order; none is chosen from the boxes.")
    ] = None
    learning_rate: Annotated[
        float | None, Field(gt=0, description="Peak learning rate; none means the tested default.")
    ] = None
    augmentation: Annotated[
        Literal["auto", "none", "light", "full"],
        Field(description="How much training patches are varied; auto is light on a processor and full on a GPU."),
    ] = "auto"
    preview_interval: Annotated[
        float, Field(ge=0.5, description="Seconds between previews while the model is young.")
    ] = 3.0
    checkpoint_interval: Annotated[float, Field(ge=1, description="Seconds between checkpoints for resume.")] = 20.0

    @model_validator(mode="before")
    @classmethod
    def _of_version_1(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not (data.get("version") == 1 or "initial_model" in data):
            return data
        rest = {key: value for key, value in data.items() if key != "initial_model"}
        began = data.get("initial_model")
        return {"start_from": SCRATCH if began is None else str(began), **rest, "version": CONFIG_VERSION}

    @property
    def choice(self) -> Choice:
        """Which boxes are used."""
        return Choice(self.statuses, self.tags, self.changed_since, self.changed_until)

    @field_validator("start_from", mode="before")
    @classmethod
    def _start_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @field_validator("dims", mode="before")
    @classmethod
    def _dims_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value
