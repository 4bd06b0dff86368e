"""Names of axes: what a file says, what a person says, else a documented guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..errors import VolumeError

Kind = Literal["image", "labels"]
MAX_GUESSED_CHANNELS = 4
_SPATIAL = "zyx"


@dataclass(frozen=True)
class Layout:
    """What the axes of an n-dimensional array mean.

    Parameters
    ----------
    axes : str
        One letter per axis of the array; z, y, x and c are used, every other one has a fixed index.
    fixed : mapping
        Index taken of each axis that is none of z, y, x, c.
    guessed : bool
        Whether the names are a guess from the shape alone.
    """

    axes: str
    fixed: Mapping[str, int] = field(default_factory=dict)
    guessed: bool = False

    @property
    def used(self) -> str:
        """The axes that are read, in the array's order."""
        return "".join(a for a in self.axes if a not in self.fixed)

    def extent(self, shape: Sequence[int], axis: str) -> int:
        """Return the length of `axis`, or 1 where there is none."""
        return int(shape[self.axes.index(axis)]) if axis in self.axes else 1


def guess_axes(shape: Sequence[int], kind: Kind, *, stack: bool = False, name: str = "the array") -> str:
    """Guess names of axes from a shape, as for a plain array that says nothing of itself.

    Two axes are ``yx``. Three are ``yxc`` if the last has 3 or 4 entries and the others more; else ``cyx`` if the
    first has 2 to 4 and the others at least eight times as many; else ``zyx``. Four are the same with a z. Labels
    never have channels, and neither has a `stack` of images.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array.
    kind : {'image', 'labels'}
        Labels have no channels.
    stack : bool
        The array is known to be a stack of 2-D images.
    name : str
        What the error names.

    Examples
    --------
    >>> guess_axes((5, 64, 64), "image"), guess_axes((3, 64, 64), "image"), guess_axes((64, 64, 3), "image")
    ('zyx', 'cyx', 'yxc')
    >>> guess_axes((3, 64, 64), "labels")
    'zyx'
    """
    n = len(shape)
    plain = kind == "labels" or stack
    if n in (2, 3) and (n == 2 or plain):
        return _SPATIAL[-n:]
    if n in (3, 4):
        space = _SPATIAL[-(n - 1) :]
        if not plain and shape[-1] in (3, 4) and min(shape[-3:-1]) > MAX_GUESSED_CHANNELS:
            return space + "c"
        few = [i for i in range(n - 2) if shape[i] <= MAX_GUESSED_CHANNELS and min(shape[-2:]) >= 8 * shape[i]]
        if not plain and few and (n == 4 or shape[few[0]] > 1):
            return space[: few[0]] + "c" + space[few[0] :]
        if n == 3:
            return _SPATIAL
    raise VolumeError(
        f"the axes of {name} with shape {tuple(shape)} are not known",
        "two to four axes whose meaning is clear, such as zyx or czyx",
        f"say what the {n} axes are, for example axes: {'tczyx'[-n:] if n <= 5 else 'tczyx'}",
    )


def resolve_layout(
    shape: Sequence[int],
    known: str | None,
    asked: str | None,
    kind: Kind,
    *,
    at: Mapping[str, int] | None = None,
    stack: bool = False,
    name: str = "the array",
) -> Layout:
    """Decide what the axes of an array are.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array.
    known : str or None
        What the file says, one letter per axis.
    asked : str or None
        What the person says; axes of length 1 may be left out.
    kind : {'image', 'labels'}
        Only an image may have a channel axis longer than 1.
    at : mapping, optional
        Index to take of other axes, such as ``{"t": 0}``.
    stack : bool
        As for `guess_axes`.
    name : str
        What errors name.

    Raises
    ------
    VolumeError
        If the names do not fit the shape, y or x is missing, or another axis is longer than 1 and no index of it
        is chosen.
    """
    guessed = not (asked or known)
    axes = _fit(asked.strip().lower(), shape, name) if asked else known
    axes = axes or guess_axes(shape, kind, stack=stack, name=name)
    if "y" not in axes or "x" not in axes or len(set(axes)) != len(axes):
        raise VolumeError(
            f"the axes {axes!r} of {name} cannot be used",
            "each axis named once, with y and x among them",
            "set axes to one letter per axis, such as zyx, cyx or tczyx",
        )
    fixed: dict[str, int] = {}
    for axis, length in zip(axes, shape, strict=True):
        if axis in _SPATIAL or (axis == "c" and kind == "image" and axis not in (at or {})):
            continue
        fixed[axis] = _index(axis, int(length), (at or {}).get(axis), axes, name)
    return Layout(axes, fixed, guessed)


def _fit(asked: str, shape: Sequence[int], name: str) -> str:
    if len(asked) == len(shape):
        return asked
    if len(asked) == sum(n > 1 for n in shape):
        letters, spare = iter(asked), iter("abdefghij")
        return "".join(next(letters) if n > 1 else next(spare) for n in shape)
    raise VolumeError(
        f"axes {asked!r} name {len(asked)} axes, but {name} has {len(shape)} of shape {tuple(shape)}",
        "one letter per axis",
        "write the axes in the order of that shape, such as zyx or tczyx",
    )


def _index(axis: str, length: int, chosen: int | None, axes: str, name: str) -> int:
    if chosen is None and length == 1:
        return 0
    if chosen is not None and -length <= chosen < length:
        return chosen % length
    if chosen is not None:
        raise VolumeError(
            f"{name} has {length} entries along {axis}, so there is no number {chosen}",
            f"an index from 0 to {length - 1}",
            "choose another index",
        )
    if axis == "c":
        raise VolumeError(
            f"the labels in {name} have {length} channels",
            "labels with one number per voxel",
            'choose one with at={"c": 0}, or if these are sections and not channels, set axes to '
            + axes.replace("c", "z" if "z" not in axes else "q"),
        )
    other = f", or if {axis} is really depth, set axes to {axes.replace(axis, 'z')}" if "z" not in axes else ""
    raise VolumeError(
        f"{name} has {length} entries along its axis {axis!r} (axes {axes})",
        "a single image or volume: only z, y, x and c may be longer than 1",
        f'choose one entry with at={{"{axis}": 0}}, or save one on its own{other}',
    )
