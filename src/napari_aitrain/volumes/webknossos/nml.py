"""The NML of an annotation: voxel size, boxes and volume layers; skeletons are passed over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from ...errors import VolumeError
from ...geometry import Region
from ..units import VoxelSize, nanometres_per

MAX_BYTES = 1 << 29
_EXPECTED = "an NML file as WEBKNOSSOS writes it"
_REMEDY = "download the annotation from WEBKNOSSOS again"


@dataclass(frozen=True)
class NamedBox:
    """A bounding box: half-open, z, y, x, in voxels of magnification 1 of the dataset."""

    name: str
    region: Region


@dataclass(frozen=True)
class VolumeLayer:
    """What an annotation says of one of its volume layers.

    Parameters
    ----------
    name : str
        As people named it.
    location : str
        The archive inside the archive that holds it; empty if it was downloaded without its voxels.
    fallback : str
        The segmentation layer of the dataset that holds what was not painted over; empty if there is none.
    proofread : bool
        Merges and splits were made by proofreading, which the voxels do not show.
    """

    name: str
    location: str
    fallback: str = ""
    proofread: bool = False


@dataclass
class Annotation:
    """What an NML says.

    Parameters
    ----------
    dataset : str
        The dataset that was annotated.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order; None if the file does not say it.
    boxes : list of NamedBox
        The user's bounding boxes.
    task_box : NamedBox or None
        The part of the dataset that the annotation was asked for.
    volumes : list of VolumeLayer
        In their order.
    """

    dataset: str = ""
    voxel_size: VoxelSize | None = None
    boxes: list[NamedBox] = field(default_factory=list)
    task_box: NamedBox | None = None
    volumes: list[VolumeLayer] = field(default_factory=list)


def parse_nml(data: bytes, where: str) -> Annotation:
    """Read an NML.

    Parameters
    ----------
    data : bytes
        The content of the file. A document type is refused, and with it every entity.
    where : str
        What errors name.

    Raises
    ------
    VolumeError
        If it is no XML, no NML, declares a document type, or a box is not three positive extents.
    """
    reader = _Reader(where)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.EntityDeclHandler = reader.doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise VolumeError(f"{where} is no XML: {error}", _EXPECTED, _REMEDY) from error
    if not reader.is_nml:
        raise VolumeError(f"{where} is XML, but no NML: its root is <{reader.root}>", _EXPECTED, _REMEDY)
    return reader.found


class _Reader:
    def __init__(self, where: str) -> None:
        self.found = Annotation()
        self.root = ""
        self._where = where
        self._path: list[str] = []

    @property
    def is_nml(self) -> bool:
        return self.root == "things"

    def doctype(self, *declared: object) -> None:
        raise VolumeError(
            f"{self._where} declares a document type or entities ({declared[0]})",
            _EXPECTED + ": it has none, since a small file of entities can grow to fill the memory",
            _REMEDY + ", and check where it came from",
        )

    def start(self, tag: str, values: Mapping[str, str]) -> None:
        self._path.append(tag)
        if len(self._path) == 1:
            self.root = tag
        elif self._path[1:] == ["parameters", tag]:
            self._parameter(tag, values)
        elif self._path[1:] == ["volume"]:
            self._volume(values)

    def end(self, tag: str) -> None:
        self._path.pop()

    def _parameter(self, tag: str, values: Mapping[str, str]) -> None:
        if tag == "experiment":
            self.found.dataset = values.get("name", "")
        elif tag == "scale":
            unit = nanometres_per(values.get("unit", "nanometer"))
            size = [self._number(tag, values, axis) for axis in "zyx"]
            if unit is not None and all(0 < length < math.inf for length in size):
                self.found.voxel_size = (size[0] * unit, size[1] * unit, size[2] * unit)
        elif tag == "userBoundingBox":
            name = values.get("name", "").strip()
            self.found.boxes.append(NamedBox(name or f"box {len(self.found.boxes) + 1}", self._box(tag, values)))
        elif tag == "taskBoundingBox":
            self.found.task_box = NamedBox("task bounding box", self._box(tag, values))

    def _volume(self, values: Mapping[str, str]) -> None:
        number = len(self.found.volumes)
        self.found.volumes.append(
            VolumeLayer(
                values.get("name") or ("Volume" if number == 0 else f"Volume {number}"),
                values.get("location", ""),
                values.get("fallbackLayer", ""),
                "editedMappingEdgesLocation" in values,
            )
        )

    def _box(self, tag: str, values: Mapping[str, str]) -> Region:
        start = [round(self._number(tag, values, f"topLeft{axis}")) for axis in "ZYX"]
        shape = [round(self._number(tag, values, extent)) for extent in ("depth", "height", "width")]
        if min(shape) < 1 or max(map(abs, (*start, *shape))) > 2**31:
            name = values.get("name") or tag
            raise VolumeError(
                f"the bounding box {name!r} in {self._where} has the extent {shape[2]}×{shape[1]}×{shape[0]} (x×y×z)",
                "an extent of at least one voxel per axis",
                "delete or redraw the box in WEBKNOSSOS and download the annotation again",
            )
        return Region.from_shape(shape, start)

    def _number(self, tag: str, values: Mapping[str, str], name: str) -> float:
        try:
            number = float(values[name])
        except (KeyError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise VolumeError(f"<{tag}> in {self._where} has {name}={values.get(name)!r}", "a number", _REMEDY)
        return number
