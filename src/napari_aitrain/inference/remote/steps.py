"""Steps on the image before it is sent, and on what is answered: small, chosen from a list, run in their order."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...errors import RemoteError
from .troubles import WRONG

Array = npt.NDArray[Any]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]


class Step(BaseModel):
    """Base of all steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: ClassVar[str]

    def apply(self, image: Array) -> Array:
        """Return the image, shape (c, y, x), after the step."""
        raise NotImplementedError


class Percentiles(Step):
    """Make two percentiles of the whole image 0 and 1, channel by channel."""

    title: ClassVar[str] = "Percentiles of the whole image become 0 and 1"
    step: Literal["percentiles"] = "percentiles"
    low: Annotated[float, Field(ge=0, lt=100)] = 1.0
    high: Annotated[float, Field(gt=0, le=100)] = 99.8

    @model_validator(mode="after")
    def _ordered(self) -> Percentiles:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self

    def apply(self, image: Array) -> Array:
        """Return the image: it was done when it was read, for all tiles alike."""
        return image


class Multiply(Step):
    """Multiply by a number."""

    title: ClassVar[str] = "Multiply by"
    step: Literal["multiply"] = "multiply"
    by: Number = 255.0

    def apply(self, image: Array) -> Array:
        """Multiply."""
        return image * np.float32(self.by)


class Add(Step):
    """Add a number."""

    title: ClassVar[str] = "Add"
    step: Literal["add"] = "add"
    value: Number = 0.0

    def apply(self, image: Array) -> Array:
        """Add."""
        return image + np.float32(self.value)


class Clip(Step):
    """Cut off what is below or above."""

    title: ClassVar[str] = "Clip between"
    step: Literal["clip"] = "clip"
    low: Number = 0.0
    high: Number = 1.0

    def apply(self, image: Array) -> Array:
        """Clip."""
        return np.clip(image, self.low, self.high)


class Invert(Step):
    """Make dark bright, around a number."""

    title: ClassVar[str] = "Subtract from (invert)"
    step: Literal["invert"] = "invert"
    whole: Annotated[Number, Field(description="What 0 becomes.")] = 1.0

    def apply(self, image: Array) -> Array:
        """Invert."""
        return np.float32(self.whole) - image


class Repeat(Step):
    """Give a grey image to a server of colour images."""

    title: ClassVar[str] = "Repeat one channel"
    step: Literal["repeat"] = "repeat"
    times: Annotated[int, Field(ge=2, le=16)] = 3

    def apply(self, image: Array) -> Array:
        """Repeat a single channel; several stay as they are."""
        return np.repeat(image, self.times, axis=0) if len(image) == 1 else image


class ToType(Step):
    """Round to whole numbers, or keep decimals."""

    title: ClassVar[str] = "Store as"
    step: Literal["type"] = "type"
    dtype: Literal["uint8", "uint16", "float32"] = "uint8"

    def apply(self, image: Array) -> Array:
        """Convert; what does not fit is cut off."""
        if self.dtype == "float32":
            return image.astype(np.float32)
        limits = np.iinfo(self.dtype)
        return np.clip(np.rint(image), limits.min, limits.max).astype(self.dtype)


class Resize(Step):
    """Send the image in another size; what is answered is brought back by the step of the same name."""

    title: ClassVar[str] = "Resize to a square of"
    step: Literal["resize"] = "resize"
    side: Annotated[int, Field(ge=16, le=4096)] = 224

    def apply(self, image: Array) -> Array:
        """Resize linearly."""
        from skimage.transform import resize

        shape = (len(image), self.side, self.side)
        sized: Array = resize(image, shape, order=1, preserve_range=True, anti_aliasing=True)  # type: ignore[no-untyped-call]
        return sized.astype(np.float32)


Before = Annotated[Percentiles | Multiply | Add | Clip | Invert | Repeat | Resize | ToType, Field(discriminator="step")]


class Sigmoid(Step):
    """Make probabilities of one number per class or pixel."""

    title: ClassVar[str] = "Sigmoid"
    step: Literal["sigmoid"] = "sigmoid"

    def apply(self, image: Array) -> Array:
        """Apply the logistic function."""
        share: Array = 0.5 + 0.5 * np.tanh(0.5 * image.astype(np.float64))
        return share.astype(np.float32)


class Softmax(Step):
    """Make probabilities that add up to 1 of one number per class."""

    title: ClassVar[str] = "Softmax over classes"
    step: Literal["softmax"] = "softmax"

    def apply(self, image: Array) -> Array:
        """Apply it along the first axis."""
        raised = np.exp(image.astype(np.float64) - image.max(axis=0, keepdims=True))
        share: Array = raised / raised.sum(axis=0, keepdims=True)
        return share.astype(np.float32)


class Argmax(Step):
    """Take the class of the largest number per pixel, of an answer with one band per class."""

    title: ClassVar[str] = "Band of the largest number becomes the class"
    step: Literal["argmax"] = "argmax"

    def apply(self, image: Array) -> Array:
        """Return positions, shape (1, y, x)."""
        return np.asarray(image.argmax(axis=0), np.int32)[None]


class Threshold(Step):
    """Make 1 of what is above a number and 0 of the rest."""

    title: ClassVar[str] = "1 where above"
    step: Literal["threshold"] = "threshold"
    above: Number = 0.5

    def apply(self, image: Array) -> Array:
        """Compare."""
        return (image > self.above).astype(np.int32)


class ResizeBack(Step):
    """Bring a mask of another size to that of the image."""

    title: ClassVar[str] = "Resize to the size of the image"
    step: Literal["resize"] = "resize"


class Separate(Step):
    """Number touching pixels of one value as one object."""

    title: ClassVar[str] = "Number the connected objects"
    step: Literal["separate"] = "separate"

    def apply(self, image: Array) -> Array:
        """Return numbers; pixels that share a side or a corner are one."""
        import cc3d

        return np.stack([np.asarray(cc3d.connected_components(band, connectivity=8), np.int32) for band in image])


class FillHoles(Step):
    """Fill what is enclosed by objects."""

    title: ClassVar[str] = "Fill holes in objects"
    step: Literal["fill"] = "fill"

    def apply(self, image: Array) -> Array:
        """Give what is enclosed the value of the nearest pixel around it."""
        return np.stack([_filled(band) for band in image])


class RemoveSmall(Step):
    """Leave out what is small."""

    title: ClassVar[str] = "Leave out pieces smaller than (pixels)"
    step: Literal["remove-small"] = "remove-small"
    pixels: Annotated[int, Field(ge=1, le=10**9)] = 20

    def apply(self, image: Array) -> Array:
        """Leave out connected pieces of fewer pixels."""
        import cc3d

        return np.stack([np.asarray(cc3d.dust(band, threshold=self.pixels, connectivity=8)) for band in image])


After = Annotated[
    Sigmoid | Softmax | Argmax | Threshold | ResizeBack | Separate | FillHoles | RemoveSmall,
    Field(discriminator="step"),
]


def run_before(steps: tuple[Step, ...], image: Array) -> Array:
    """Run the steps on an image, shape (c, y, x), before it is sent."""
    for step in steps:
        image = step.apply(image)
    return image


def run_after(steps: tuple[Step, ...], answer: Array, shape: tuple[int, int]) -> Array:
    """Run the steps on an answer, shape (bands, y, x), or (classes, 1, 1) for scores.

    Parameters
    ----------
    steps : tuple of Step
        In their order.
    answer : ndarray
        As it came.
    shape : tuple of int
        y, x of the image that was sent.

    Raises
    ------
    RemoteError
        If a step cannot be done on this answer.
    """
    for step in steps:
        if isinstance(step, ResizeBack):
            answer = _sized(answer, shape)
            continue
        if isinstance(step, (Separate, FillHoles, RemoveSmall)) and answer.dtype.kind == "f":
            raise RemoteError(
                f"the step {step.title!r} stands before decimals have become classes", "classes or objects",
                "put a threshold, or the step that takes the largest band, before it", WRONG,
            )  # fmt: skip
        answer = step.apply(answer)
    return answer


def _sized(answer: Array, shape: tuple[int, int]) -> Array:
    """Bring bands to another size, each pixel from the one that its middle lies in; numbers of classes stay whole."""
    _, height, width = answer.shape
    rows = (np.arange(shape[0]) * 2 + 1) * height // (2 * shape[0])
    columns = (np.arange(shape[1]) * 2 + 1) * width // (2 * shape[1])
    return answer[:, rows[:, None], columns]


def _filled(band: Array) -> Array:
    from scipy.ndimage import binary_fill_holes, distance_transform_edt

    holes = binary_fill_holes(band > 0) & (band <= 0)
    if not holes.any():
        return band
    rows, columns = distance_transform_edt(band <= 0, return_distances=False, return_indices=True)
    return np.where(holes, band[rows, columns], band)
