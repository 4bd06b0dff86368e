"""Samples as files, as a person would have them: labels only where there are boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from ..annotation.boxes import write_boxes
from ..geometry import Region
from ..volumes import LabelsWriter, check_output
from ..volumes.atomic import storage_errors
from .sample import Sample


@dataclass(frozen=True)
class SampleFiles:
    """Where the parts of a sample were written."""

    image: Path
    labels: Path
    boxes: Path


def write_sample(sample: Sample, folder: Path) -> SampleFiles:
    """Write an image, the labels inside its boxes, and the boxes.

    Parameters
    ----------
    sample : Sample
        Of one channel.
    folder : Path
        Where to; made if it is not there.

    Raises
    ------
    OutputExistsError
        If one of the files exists.
    StorageError
        If they cannot be written.
    """
    stem = sample.name.replace(" ", "-")
    files = SampleFiles(folder / f"{stem}.tif", folder / f"{stem}-labels.tif", folder / f"{stem}-boxes.json")
    check_output(files.image)
    labelled = np.zeros_like(sample.labels)
    for box in sample.boxes:
        labelled[box.region.slices] = sample.labels[box.region.slices]
    with LabelsWriter(files.labels, labelled.shape, voxel_size=sample.voxel_size) as writer:
        writer.write(Region.from_shape(labelled.shape), labelled)
    write_image(files.image, sample.image, sample.voxel_size)
    with storage_errors(files.boxes):
        write_boxes(files.boxes, sample.boxes)
    return files


def write_image(path: Path, image: npt.NDArray[np.integer], voxel_size: tuple[float, float, float]) -> None:
    """Write an image of one channel, shape (1, z, y, x), as a TIFF that ImageJ and napari read with its scale.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    z, y, x = (size / 1000 for size in voxel_size)
    flat = image.shape[1] == 1
    with storage_errors(path):
        tifffile.imwrite(
            path,
            image[0, 0] if flat else image[0],
            imagej=True,
            resolution=(1 / x, 1 / y),
            metadata={"unit": "um", "spacing": z, "axes": "YX" if flat else "ZYX"},
        )
