"""What a description says of tensors and steps, as a network here needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ModelError
from ...nets.zoo_config import RAW, After, Before, Binary, Clip, Linear, Logistic, Moments, Percentiles

HALO = {2: (32, 32), 3: (8, 32, 32)}
"""Where the description says nothing."""
_DTYPES = {"float32", "float64", "uint8", "uint16", "int8", "int16", "int32", "int64"}
_OTHER = "use it in a program that runs such models, such as bioimageio.core, ilastik or deepImageJ"


@dataclass(frozen=True)
class Tensors:
    """The image that a network takes, and the answer that is used of it.

    Parameters
    ----------
    inputs, outputs : str
        Axes, by letters of ``bczyx``.
    dims : int
        Axes of space.
    channels, answers : tuple of str
        Names of the channels of image and answer.
    sizes : tuple of tuple of int
        See `ZooConfig`.
    halo : tuple of int
        See `ZooConfig`.
    answer : int
        Which output it is.
    dtype : str
        In which the image is given.
    voxel_size : tuple of float, optional
        nm, z, y, x.
    """

    inputs: str
    outputs: str
    dims: int
    channels: tuple[str, ...]
    answers: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    halo: tuple[int, ...]
    answer: int
    dtype: str
    voxel_size: tuple[float, float, float] | None


def read_tensors(described: Any) -> Tensors:
    """Return what a description says of its tensors.

    Raises
    ------
    ModelError
        If it takes more than one image, has other axes, or no answer as large as the image.
    """
    required = [tensor for tensor in described.inputs if not tensor.optional]
    if len(required) != 1:
        raise refused(f"it takes {len(required)} tensors", "a model that takes one image")
    image = required[0]
    inputs = "".join(_letter(axis) for axis in image.axes)
    space = [axis for axis in image.axes if _letter(axis) in "zyx"]
    space.sort(key=lambda axis: "zyx".index(_letter(axis)))
    if len(space) not in (2, 3) or [_letter(a) for a in space] != list("zyx"[3 - len(space) :]):
        raise refused(f"its image has the axes {inputs}", "y and x, or z, y and x")
    dtype = str(getattr(image.data, "type", "float32"))
    if dtype not in _DTYPES:
        raise refused(f"it takes images of {dtype}", "float32")
    sizes = tuple(_size(axis, image, space) for axis in space)
    for number, output in enumerate(described.outputs):
        if (halo := _halo(output, image, space)) is not None:
            return Tensors(
                inputs=inputs,
                outputs="".join(_letter(axis) for axis in output.axes),
                dims=len(space),
                channels=_channels(image),
                answers=_channels(output),
                sizes=sizes,
                halo=halo,
                answer=number,
                dtype=dtype,
                voxel_size=_voxel_size(space),
            )
    raise refused("none of its outputs has the size of the image", "an answer for each voxel")


def read_before(described: Any, tensors: Tensors) -> tuple[Before, ...]:
    """Return what is done to the image.

    Raises
    ------
    ModelError
        If there is a step that is not known here.
    """
    image = next(tensor for tensor in described.inputs if not tensor.optional)
    steps: list[Before] = []
    for step in image.preprocessing:
        if (one := _common(step, len(tensors.channels))) is not None:
            steps.append(one)
        elif step.id == "scale_range" and step.kwargs.reference_tensor in (None, image.id):
            jointly = _jointly(step.kwargs.axes, tensors.dims)
            kwargs = step.kwargs
            steps.append(
                Percentiles(low=kwargs.min_percentile, high=kwargs.max_percentile, eps=kwargs.eps, jointly=jointly)
            )
        elif step.id == "zero_mean_unit_variance":
            steps.append(Moments(eps=step.kwargs.eps, jointly=_jointly(step.kwargs.axes, tensors.dims)))
        elif step.id != "ensure_dtype":
            raise refused(f"it prepares images by {step.id}", "steps that scale and clip")
    return tuple(steps)


def read_after(described: Any, tensors: Tensors) -> tuple[After, ...]:
    """Return what is done to the answer.

    Raises
    ------
    ModelError
        If there is a step that is not known here.
    """
    steps: list[After] = []
    for step in described.outputs[tensors.answer].postprocessing:
        if (one := _common(step, len(tensors.answers))) is not None:
            steps.append(one)
        elif step.id == "sigmoid":
            steps.append(Logistic(kind="sigmoid"))
        elif step.id == "softmax" and str(step.kwargs.axis) == "channel":
            steps.append(Logistic(kind="softmax"))
        elif step.id == "binarize" and not isinstance(step.kwargs.threshold, list):
            steps.append(Binary(threshold=step.kwargs.threshold))
        elif step.id != "ensure_dtype":
            raise refused(f"its answers are made by {step.id}", "maps, such as probabilities, as they are or scaled")
    return tuple(steps)


def refused(what: str, expected: str) -> ModelError:
    """Return the error for a model that does not run here."""
    return ModelError(f"the model cannot be run here: {what}", expected, _OTHER)


def _common(step: Any, channels: int) -> Linear | Clip | None:
    """Return steps that are the same before and after a network."""
    kwargs: Any = getattr(step, "kwargs", None)
    if step.id == "scale_linear":
        return Linear(gain=_numbers(kwargs, kwargs.gain, channels), offset=_numbers(kwargs, kwargs.offset, channels))
    if step.id == "fixed_zero_mean_unit_variance":
        mean, std = _numbers(kwargs, kwargs.mean, channels), _numbers(kwargs, kwargs.std, channels)
        return Linear(gain=tuple(1 / s for s in std), offset=tuple(-m / s for m, s in zip(mean, std, strict=True)))
    if step.id == "clip":
        if getattr(kwargs, "min_percentile", None) is not None or getattr(kwargs, "max_percentile", None) is not None:
            raise refused("it clips by percentiles", "fixed bounds")
        return Clip(low=-RAW if kwargs.min is None else kwargs.min, high=RAW if kwargs.max is None else kwargs.max)
    return None


def _numbers(kwargs: Any, value: float | Sequence[float], channels: int) -> tuple[float, ...]:
    if isinstance(value, (int, float)):
        return (float(value),)
    if str(getattr(kwargs, "axis", "channel")) != "channel" or len(value) != channels:
        raise refused("it scales along another axis than channels", "a number per channel")
    return tuple(float(v) for v in value)


def _jointly(axes: Sequence[Any] | None, dims: int) -> bool:
    """Whether statistics are over all channels."""
    if axes is None:
        return True
    names = {str(axis) for axis in axes}
    if not set("zyx"[3 - dims :]) <= names:
        raise refused(f"it scales along {', '.join(sorted(names))} alone", "statistics over a whole image")
    return "channel" in names


def _letter(axis: Any) -> str:
    kind = str(axis.type)
    if kind in ("batch", "channel"):
        return kind[0]
    name = str(axis.id)
    if kind != "space" or name not in ("x", "y", "z"):
        raise refused(f"its tensors have an axis {name}", "batch, channel, z, y and x")
    return name


def _size(axis: Any, image: Any, space: list[Any]) -> tuple[int, int]:
    size = axis.size
    if isinstance(size, int):
        return size, 0
    if hasattr(size, "step"):
        return int(size.min), int(size.step)
    for other in space:
        named = (str(size.tensor_id), str(size.axis_id), size.offset) == (str(image.id), str(other.id), 0)
        if named and other is not axis and other.scale == axis.scale:
            return _size(other, image, [a for a in space if a is not axis])
    raise refused(f"the extent of {axis.id} follows from that of another axis", "extents that can be chosen")


def _halo(output: Any, image: Any, space: list[Any]) -> tuple[int, ...] | None:
    """Return the halo of an output that is as large as the image; None for another."""
    try:
        found = {_letter(axis): axis for axis in output.axes}
    except ModelError:
        return None
    if set(found) - set("bc") != {_letter(axis) for axis in space}:
        return None
    halo = []
    for axis in space:
        there = found[_letter(axis)]
        size = there.size
        if isinstance(size, int):
            same = size == axis.size
        else:
            same = hasattr(size, "offset") and (str(size.tensor_id), str(size.axis_id), size.offset) == (
                str(image.id),
                str(axis.id),
                0,
            )
        if not same or there.scale != axis.scale:
            return None
        halo.append(getattr(there, "halo", None))
    if all(one is None for one in halo):
        return HALO[len(space)]
    return tuple(int(one or 0) for one in halo)


def _channels(tensor: Any) -> tuple[str, ...]:
    for axis in tensor.axes:
        if axis.type == "channel":
            return tuple(str(name) for name in axis.channel_names)
    return ("channel0",)


def _voxel_size(space: list[Any]) -> tuple[float, float, float] | None:
    """Return the length of voxels in nm, where units are given; slices are as far apart as pixels."""
    lengths = {"nanometer": 1.0, "micrometer": 1e3, "millimeter": 1e6, "meter": 1e9, "angstrom": 0.1, "picometer": 1e-3}
    if any(str(getattr(axis, "unit", None)) not in lengths for axis in space):
        return None
    sizes = [float(axis.scale) * lengths[str(axis.unit)] for axis in space]
    z, y, x = sizes if len(sizes) == 3 else [sizes[0], *sizes]
    return z, y, x
