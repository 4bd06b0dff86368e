"""Open a volume, whatever the file format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import VolumeError
from ..location import Location, Url, located
from .axes import Kind
from .building import build_volume
from .caching import cached
from .damage import DamageLog, OnDamage
from .hdf5 import SUFFIXES as HDF5_SUFFIXES
from .hdf5 import open_hdf5
from .labels import check_labels
from .n5 import is_n5, open_n5
from .numpy_files import open_npy, open_npz
from .opened import Opened
from .place import Place
from .raster import SUFFIXES as RASTER_SUFFIXES
from .raster import open_raster
from .remote_file import RemoteFile
from .tiff import open_tiff
from .units import VoxelSize
from .volume import Volume
from .webknossos import find_webknossos, open_webknossos
from .zarr_files import is_zarr, open_zarr

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".lsm")
FILE_SUFFIXES = (*TIFF_SUFFIXES, *RASTER_SUFFIXES, *HDF5_SUFFIXES, ".npy", ".npz")
_KEYED = (".npz", *HDF5_SUFFIXES)
SUPPORTED = (
    "TIFF (.tif, .tiff), PNG, JPEG, NumPy (.npy, .npz), HDF5 (.h5), zarr and OME-Zarr (.zarr, .ome.zarr), N5 (.n5),"
    " WEBKNOSSOS datasets and annotations (.zip)"
)


def open_volume(
    path: str | Location,
    *,
    kind: Kind = "image",
    channels: Sequence[str | int] | None = None,
    axes: str | None = None,
    voxel_size: VoxelSize | None = None,
    at: Mapping[str, int] | None = None,
    onto: Place | None = None,
    on_damage: OnDamage = "stop",
) -> Volume:
    """Open an image or labels without reading the voxels.

    Parameters
    ----------
    path : str, Path or Url
        TIFF, PNG, JPEG, NPY, NPZ (``file.npz:key`` names the array), HDF5 (``file.h5:/group/dataset``), zarr, OME-Zarr,
        N5, or of WEBKNOSSOS a dataset folder or an annotation archive (``dataset/color``, ``annotation.zip/Volume``
        name a layer). Zarr, N5, TIFF and HDF5 may also be addresses: ``https://…``, ``s3://…``, ``gs://…``.
    kind : {'image', 'labels'}
        Labels hold whole numbers, one per voxel.
    channels : sequence of str or int, optional
        Channels to use, by name or number from 0; None means all.
    axes : str, optional
        One letter per axis of the file, to correct what it says or what is guessed (see `axes.guess_axes`).
    voxel_size : tuple of float, optional
        Nanometres in z, y, x order at the finest level, to correct what the file says.
    at : mapping, optional
        Index to take of other axes, such as ``{"t": 0}``; axes of length 1 need none.
    onto : Place, optional
        Of labels from WEBKNOSSOS: the place of their image, on whose voxels they are to lie. Other files know no place.
    on_damage : {'stop', 'fill'}
        What reading does at a chunk that is damaged: raise an error that names it, or fill it with 0 and tell it in
        `Volume.filled`. A chunk that zarr does not store is not damaged: it has the fill value.

    Returns
    -------
    Volume
        Of the finest level.

    Raises
    ------
    VolumeError
        If there is no such file, it is damaged or of no known kind, or its axes are not clear.
    GroundTruthError
        If labels are floating-point or a first look finds a negative one.
    ConfigError
        If there is no such channel.
    """
    place, key = split_key(located(path))
    opened, damage = _open(place, kind, key, onto), DamageLog()
    volume = build_volume(
        [(cached(array, place, on_damage, damage), magnification) for array, magnification in opened.arrays],
        place.name,
        place,
        kind,
        known=opened.axes,
        asked=axes,
        at=at,
        stack=opened.stack,
        names=opened.channels,
        voxel_size=voxel_size or opened.voxel_size,
        place=opened.place,
        remarks=opened.remarks,
        damage=damage,
    )
    if opened.alpha and len(volume.channels) == 4:
        volume = volume.select([0, 1, 2])
    # Of an annotation that holds only what was changed a look into the middle would fail; `read_labels` checks all.
    if kind == "labels" and (opened.place is None or volume.dtype.kind == "f"):
        check_labels(volume)
    return volume.select(channels)


def settle_axes(volume: Volume, agrees: Callable[[Volume], bool], open_as: Callable[[str], Volume]) -> Volume:
    """Correct a guess of the axes by what is known from elsewhere: a model's channels, the ground truth's shape.

    Four thin sections look like four channels, until one knows that the model takes one.

    Parameters
    ----------
    volume : Volume
        As it was opened.
    agrees : callable
        Whether a volume fits what is known.
    open_as : callable
        Opens the same file with the given axes.

    Returns
    -------
    Volume
        `volume`, unless its axes were guessed, it does not agree, and with other axes it does.
    """
    if not volume.axes_guessed or agrees(volume):
        return volume
    for axes in ("zyx", "cyx"):
        try:
            other = open_as(axes)
        except VolumeError:
            continue
        if agrees(other):
            return other
    return volume


def is_volume_path(path: Path) -> bool:
    """Whether `open_volume` takes a path, judged by its name or by what marks a folder as zarr or dataset."""
    if find_webknossos(path) is not None:
        return True
    return is_zarr(path) or is_n5(path) if path.is_dir() else split_key(path)[0].suffix.lower() in FILE_SUFFIXES


def split_key(path: Location) -> tuple[Location, str | None]:
    """Return the file that a path names, and the array in it that is named after a colon, as of NPZ and HDF5."""
    text = path.as_posix() if isinstance(path, Path) else str(path)
    for ending in _KEYED:
        # The name of a dataset has slashes, of which a path makes folders.
        at = text.lower().rfind(ending + ":")
        if at >= 0:
            base, key = text[: at + len(ending)], text[at + len(ending) + 1 :]
            return located(base), key
    return path, None


def _open(path: Location, kind: Kind, key: str | None, onto: Place | None) -> Opened:
    if isinstance(path, Url):
        return _open_remote(path, kind, key)
    of_webknossos = find_webknossos(path)
    if of_webknossos is not None:
        return open_webknossos(of_webknossos, kind, onto)
    if not path.exists():
        raise VolumeError(f"{path} does not exist", "a file or a zarr folder", "check the path")
    if path.is_dir():
        if is_zarr(path):
            return open_zarr(path, kind)
        if is_n5(path):
            return open_n5(path, kind)
        raise VolumeError(
            f"{path} is a folder, but no zarr array or group",
            "a file or a zarr folder",
            "give one file of it; a training or evaluation takes a folder of images with a folder of labels",
        )
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return open_npz(path, kind, key)
    if suffix in HDF5_SUFFIXES:
        return open_hdf5(path, kind, key)
    readers: dict[str, Callable[[Path], Opened]] = {
        **dict.fromkeys(TIFF_SUFFIXES, open_tiff),
        **dict.fromkeys(RASTER_SUFFIXES, lambda p: open_raster(p, kind)),
        ".npy": open_npy,
    }
    if suffix not in readers:
        remedy = "convert it, for example with Fiji, to TIFF or OME-Zarr"
        raise VolumeError(f"{path} is of no known kind", SUPPORTED, remedy)
    return readers[suffix](path)


def _open_remote(url: Url, kind: Kind, key: str | None) -> Opened:
    suffix = url.suffix.lower()
    if suffix in TIFF_SUFFIXES:
        return open_tiff(url, RemoteFile(url))
    if suffix in HDF5_SUFFIXES:
        return open_hdf5(url, kind, key, RemoteFile(url))
    if suffix in FILE_SUFFIXES:
        raise VolumeError(
            f"{url} cannot be read in parts",
            "an address of a zarr, OME-Zarr, N5, TIFF or HDF5",
            "download the file and open the copy",
        )
    return open_n5(url, kind) if ".n5" in url.text else open_zarr(url, kind)
