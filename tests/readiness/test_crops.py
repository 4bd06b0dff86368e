"""Frozen crops: the voxels of the boxes, told apart from unlabelled ones, normalised without a look at the held-out."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.errors import (
    AitrainError,
    GroundTruthError,
    JobError,
    NotReadyError,
    OutputExistsError,
    StorageError,
    VolumeError,
)
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.crops import CropSet, freeze_crops
from napari_aitrain.training.labelled import TILE
from napari_aitrain.volumes import Normalisation, Volume

LEFT = Box(start=(0, 0, 0), stop=(1, 128, 64), name="left")
RIGHT = Box(start=(0, 0, 96), stop=(1, 128, 128), role="validation", name="right")


def test_crops_are_the_boxes_voxel_by_voxel(files, tmp_path):
    source = files.source(boxes=(LEFT, RIGHT))
    crops = freeze_crops(files.config(source), tmp_path)
    image, labels = tifffile.imread(source.image), tifffile.imread(source.labels)
    assert [(c.role, c.name, c.shape) for c in crops.crops] == [
        ("train", "left", (1, 128, 64)),
        ("validation", "right", (1, 128, 32)),
    ]
    for crop in crops.crops:
        _, y, x = crop.region.slices
        assert np.array_equal(crop.image[0, 0], image[y, x]) and crop.image.dtype == image.dtype
        assert np.array_equal(crop.labels[0], labels[y, x]) and crop.labels.dtype == np.int32
        assert crop.objects == len(np.unique(crop.labels)) - 1
        assert crop.labelled == crop.labels.size


def test_a_volume_larger_than_a_tile_is_copied_whole(files, tmp_path):
    shape = (70, 60, 530)
    source = files.source(shape, boxes=(Box(start=(1, 2, 3), stop=(70, 60, 530)),))
    crops = freeze_crops(files.config(source, dims="2"), tmp_path, receptive_field=(0, 4, 4))
    image = tifffile.imread(source.image)
    assert sum(c.shape[2] for c in crops.crops) == 527 - 8
    for crop in crops.crops:
        assert np.array_equal(crop.image[0], image[crop.region.slices])
        assert crop.objects == len(np.unique(crop.labels)) - 1


def test_what_is_loaded_is_what_was_frozen(files, tmp_path):
    frozen = freeze_crops(files.config(), tmp_path)
    loaded = CropSet.load(tmp_path)
    assert loaded == frozen
    assert np.array_equal(loaded.crops[0].image, frozen.crops[0].image)
    assert isinstance(loaded.crops[0].labels, np.memmap)


def test_unlabelled_background_and_classes(files, tmp_path):
    labels = np.zeros((128, 128), np.uint8)
    labels[:, 10:20], labels[:, 30:40], labels[:, 50:60] = 7, 2, 5
    source = files.source(labels=labels, sparse=True, background_id=7, boxes=(LEFT,))
    crops = freeze_crops(files.config(source, task="semantic"), tmp_path, receptive_field=(0, 4, 4))
    assert crops.classes == (0, 2, 5)
    for crop in crops.crops:
        _, y, x = crop.region.slices
        wanted = np.select([labels == 0, labels == 7], [-1, 0], labels.astype(int))[y, x]
        assert np.array_equal(crop.labels[0], wanted)
        assert crop.class_voxels == {i: int((wanted == i).sum()) for i in (0, 2, 5) if (wanted == i).any()}
        assert crop.sparse and crop.labelled == (wanted >= 0).sum()


def test_a_box_says_otherwise_than_its_source(files, tmp_path):
    boxes = (LEFT.model_copy(update={"sparse": False}), RIGHT)
    crops = freeze_crops(files.config(files.source(boxes=boxes, sparse=True)), tmp_path)
    assert [crop.sparse for crop in crops.crops] == [False, True]
    assert crops.crops[0].labels.min() == 0 and crops.crops[1].labels.min() == -1


def test_validation_voxels_never_enter_the_normalisation(files, tmp_path):
    source = files.source(boxes=(LEFT, RIGHT))
    image = tifffile.imread(source.image)
    image[:, 96:] = 255
    tifffile.imwrite(source.image, image)
    crops = freeze_crops(files.config(source), tmp_path)
    seen = Normalisation.estimate(image[None, :, :64])
    assert seen.high[0] < 255
    assert [crop.normalisation for crop in crops.crops] == [seen, seen]
    assert crops.normalisation == seen


def test_an_image_of_validation_alone_is_normalised_as_prediction_would(files, tmp_path):
    first = files.source()
    other = files.image((128, 128), np.uint16, "other.tif")
    tifffile.imwrite(other, tifffile.imread(other) * 50)
    held_out = Source(image=other, labels=first.labels, boxes=(RIGHT,))
    crops = freeze_crops(TrainConfig(sources=(first, held_out)), tmp_path)
    assert crops.of_role("validation")[0].normalisation == Normalisation.estimate(tifffile.imread(other)[None])
    assert crops.normalisation == crops.of_role("train")[0].normalisation


def test_a_person_is_told_what_was_decided(files, tmp_path):
    crops = freeze_crops(files.config(), tmp_path)
    notes = " ".join(crops.notes)
    assert "2-D" in notes and "Validation: there is only" in notes


def test_magnification_and_voxel_size(files, tmp_path):
    source = files.source((129, 131), voxel_size=(1, 10, 10), magnification="2-2-1")
    crops = freeze_crops(files.config(source), tmp_path, receptive_field=(0, 4, 4))
    assert crops.voxel_size == (1, 20, 20)
    assert {(c.magnification, c.voxel_size) for c in crops.crops} == {((1, 2, 2), (1, 20, 20))}
    assert max(c.shape[1] for c in crops.crops) == 64


def test_big_endian_files_give_native_arrays(files, tmp_path):
    source = files.source()
    tifffile.imwrite(source.image, tifffile.imread(source.image).astype(">u2"), byteorder=">")
    assert freeze_crops(files.config(source), tmp_path).crops[0].image.dtype == np.dtype(np.uint16)


def test_frozen_crops_are_never_written_over(files, tmp_path):
    freeze_crops(files.config(), tmp_path)
    before = (tmp_path / "crops" / "index.json").read_bytes()
    with pytest.raises(OutputExistsError):
        freeze_crops(files.config(), tmp_path)
    assert (tmp_path / "crops" / "index.json").read_bytes() == before


def _nothing_left(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith((".", "crops"))] == []


def test_what_blocks_the_start_leaves_nothing_behind(files, tmp_path):
    source = files.source()
    array = tifffile.imread(source.image).astype(np.float32)
    array[-1, -1] = np.nan
    tifffile.imwrite(source.image, array)
    with pytest.raises(VolumeError, match="NaN"):
        freeze_crops(files.config(source), tmp_path)
    assert _nothing_left(tmp_path)


def test_a_file_raises_its_own_error_and_a_rule_not_ready(files, tmp_path):
    with pytest.raises(GroundTruthError):
        freeze_crops(files.config(files.source((64, 64), np.ones((64, 60), np.uint8))), tmp_path)
    with pytest.raises(NotReadyError, match="empty"):
        freeze_crops(files.config(files.source(labels=np.zeros((128, 128), np.uint8))), tmp_path)
    assert _nothing_left(tmp_path)


def test_a_constant_image_is_refused(files, tmp_path):
    source = files.source()
    tifffile.imwrite(source.image, np.full((128, 128), 3, np.uint8))
    with pytest.raises(VolumeError, match="same value"):
        freeze_crops(files.config(source), tmp_path)


def test_too_little_room_is_told_before_anything_is_written(files, tmp_path, monkeypatch):
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    with pytest.raises(StorageError, match="room"):
        freeze_crops(files.config(), tmp_path)
    assert _nothing_left(tmp_path)


def test_a_folder_that_is_gone(files, tmp_path):
    with pytest.raises(AitrainError):
        freeze_crops(files.config(), tmp_path / "gone")


@pytest.mark.parametrize("damage", ["index", "image"])
def test_damaged_crops_are_told(files, tmp_path, damage):
    crops = freeze_crops(files.config(), tmp_path)
    if damage == "index":
        (tmp_path / "crops" / "index.json").write_text("{", encoding="utf-8")
        with pytest.raises(JobError):
            CropSet.load(tmp_path)
    else:
        (tmp_path / "crops" / "000-image.npy").write_bytes(b"\x93NUMPY")
        with pytest.raises(JobError):
            CropSet.load(tmp_path).crops[0].image  # noqa: B018
    assert len(crops) == 2


def test_no_read_is_larger_than_a_tile(files, tmp_path, monkeypatch):
    sizes = []
    read = Volume.read

    def spy(volume, region):
        sizes.append(region.shape)
        return read(volume, region)

    monkeypatch.setattr(Volume, "read", spy)
    freeze_crops(files.config(files.source((40, 600, 600)), dims="2"), tmp_path)
    assert sizes and all(n <= most for shape in sizes for n, most in zip(shape, TILE, strict=True))
