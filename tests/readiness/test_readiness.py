"""What `check` says: counts, decisions before the start, and every kind of bad ground truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import zarr

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.readiness import check


def errors(config):
    return [finding.code for finding in check(config).errors]


def warnings(config):
    return [finding.code for finding in check(config).warnings]


def test_a_good_training_set_is_ready_and_counted(files):
    found = check(files.config(files.source((256, 256))))
    assert found.ready and not found.findings
    train, validation = found.roles["train"], found.roles["validation"]
    assert (train.boxes, validation.boxes, found.roles["test"].boxes) == (1, 1, 0)
    assert train.voxels == train.labelled
    assert train.voxels + validation.voxels == 256 * (256 - 32)
    assert train.objects > 51 and validation.objects > 20
    assert "a gap of 32 voxels" in found.sentence
    assert (found.dims, found.classes) == (2, (0, 1))
    assert json.loads(json.dumps(found.as_dict()))["roles"]["train"]["objects"] == train.objects


def test_voxels_per_class_are_counted(files):
    labels = np.zeros((128, 128), np.uint8)
    labels[:, 64:] = 3
    found = check(files.config(files.source(labels=labels), task="semantic"))
    assert found.ready and found.classes == (0, 3)
    assert set(found.roles["train"].class_voxels) == {0, 3}
    assert found.roles["train"].objects == 0


def test_sparse_voxels_without_paint_are_not_counted_as_labelled(files):
    labels = np.zeros((256, 256), np.uint8)
    labels[10:20, 10:200] = 1
    labels[200:210, 10:200] = 2
    found = check(files.config(files.source((256, 256), labels, sparse=True), task="semantic"))
    assert found.ready and found.classes == (1, 2)
    assert found.roles["train"].labelled + found.roles["validation"].labelled <= 2 * 10 * 190


def test_labels_of_another_shape(files):
    config = files.config(files.source((64, 64), np.ones((64, 60), np.uint8)))
    (finding,) = check(config).errors
    assert "60" in finding.message and "64" in finding.message and finding.remedy


@pytest.mark.parametrize("bad", [np.full((64, 64), 0.5, np.float32), np.full((64, 64), -1, np.int16)])
def test_labels_that_are_no_ids(files, bad):
    assert errors(files.config(files.source((64, 64), bad))) == ["GroundTruthError"]


def test_a_negative_label_far_from_the_middle_is_found(files):
    labels = files.objects((600, 600)).astype(np.int16)
    labels[-1, -1] = -7
    (finding,) = check(files.config(files.source((600, 600), labels))).errors
    assert "-7" in finding.message


def test_empty_labels(files):
    assert errors(files.config(files.source(labels=np.zeros((128, 128), np.uint8)))) == ["no-labels"]


def test_image_and_labels_swapped_are_guessed(files):
    good = files.source()
    (finding,) = check(TrainConfig(sources=(Source(image=good.labels, labels=good.image),))).errors
    assert "swap" in finding.message + finding.remedy


def test_image_and_labels_the_same(files):
    path = files.labels(files.objects((128, 128)))
    assert errors(TrainConfig(sources=(Source(image=path, labels=path),))) == ["same-layer"]


@pytest.mark.parametrize("start", [(0, 0, 100), (0, 500, 500)])
def test_a_box_outside(files, start):
    boxes = (Box(start=start, stop=tuple(a + n for a, n in zip(start, (1, 64, 64), strict=True))),)
    assert "box-outside" in errors(files.config(files.source(boxes=boxes)))


def test_a_small_box_does_not_block(files):
    boxes = (Box(start=(0, 0, 0), stop=(1, 128, 31)), Box(start=(0, 0, 64), stop=(1, 128, 128)))
    found = check(files.config(files.source(boxes=boxes)))
    assert found.ready and "box-small" in [f.code for f in found.warnings]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_no_numbers(files, value):
    source = files.source()
    array = tifffile.imread(source.image).astype(np.float32)
    array[5, 7] = value
    tifffile.imwrite(source.image, array)
    assert errors(files.config(source)) == ["image-not-finite"]


def test_a_constant_image(files):
    source = files.source()
    tifffile.imwrite(source.image, np.full((128, 128), 9, np.uint8))
    assert errors(files.config(source)) == ["image-constant"]


def test_a_corrupt_tiff(files):
    source = files.source()
    source.image.write_bytes(source.image.read_bytes()[:900])
    assert errors(files.config(source)) == ["VolumeError"]


def test_every_broken_file_is_told_at_once(files):
    sources = [files.source(), files.source().model_copy(update={"image": files.folder / "gone.tif"})]
    sources.append(sources[1].model_copy(update={"labels": files.folder / "gone too.tif"}))
    assert errors(TrainConfig(sources=tuple(sources))) == ["VolumeError", "VolumeError"]


def test_a_zarr_with_missing_chunks(files):
    source = files.source()
    array = zarr.create_array(files.folder / "raw.zarr", shape=(128, 128), chunks=(64, 64), dtype="u1", zarr_format=2)
    array[:] = tifffile.imread(source.image)
    (files.folder / "raw.zarr" / "0.1").unlink()
    found = check(files.config(source.model_copy(update={"image": files.folder / "raw.zarr"})))
    assert "image-chunks-missing" in [f.code for f in found.warnings]


def test_an_unknown_task_names_the_nearest(files):
    (finding,) = check(files.config(task="instanses")).errors
    assert finding.code == "ConfigError" and "instances" in finding.remedy


def test_no_sources():
    assert "no-boxes" in errors(TrainConfig())


def test_boxes_that_are_all_rejected(files):
    boxes = (Box(start=(0, 0, 0), stop=(1, 128, 128), status="rejected"),)
    assert "no-boxes" in errors(files.config(files.source(boxes=boxes)))


def test_boxes_are_chosen_by_status_and_tag(files):
    whole = {"start": (0, 0, 0), "stop": (1, 128, 128)}
    boxes = (
        Box(**whole, status="done", tags=("a",)),
        Box(**whole, status="in progress", tags=("a",)),
        Box(**whole, status="done", tags=("b",)),
        Box(**whole, status="rejected", tags=("a",)),
    )
    source = files.source(boxes=boxes)

    def used(**more):
        plan = check(files.config(source, **more)).plan
        return len(plan.crops) // 2

    assert used() == 3
    assert used(statuses=("done", "reviewed")) == 2
    assert used(tags=("b",)) == 1
    assert used(statuses=("done", "rejected"), tags=("a",)) == 1


def test_one_class_in_sparse_ground_truth(files):
    labels = np.zeros((128, 128), np.uint8)
    labels[5:100, 5:20] = 1
    (finding,) = check(files.config(files.source(labels=labels, sparse=True), task="semantic")).errors
    assert finding.code == "one-class" and "second class" in finding.remedy


def test_sparse_objects_without_background_are_allowed(files):
    config = files.config(files.source((256, 256), sparse=True))
    assert warnings(config) == ["no-background"] and check(config).ready


def test_painted_background_silences_the_warning(files):
    labels = files.objects((256, 256))
    labels[labels == 0] = 999
    labels[100:, :] *= labels[100:, :] != 999
    found = check(files.config(files.source((256, 256), labels, sparse=True, background_id=999)))
    assert found.ready and not found.findings
    assert found.roles["train"].labelled > 0


def test_a_mask_for_objects_is_told(files):
    labels = (files.objects((128, 128)) > 0).astype(np.uint8)
    assert "binary-labels" in warnings(files.config(files.source(labels=labels)))


def test_ids_for_classes_are_told(files):
    assert "many-classes" in warnings(files.config(files.source(), task="semantic"))


def test_a_class_that_is_only_in_validation(files):
    labels = np.zeros((128, 128), np.uint8)
    labels[:, 40:60], labels[:, 100:] = 1, 2
    boxes = (
        Box(start=(0, 0, 0), stop=(1, 128, 64)),
        Box(start=(0, 0, 96), stop=(1, 128, 128), role="validation"),
    )
    found = warnings(files.config(files.source(labels=labels, boxes=boxes), task="semantic"))
    assert {"class-never-trained", "class-not-validated"} <= set(found)


def test_validation_without_labels_is_found_before_the_start(files):
    labels = files.objects((128, 128))
    labels[:, 64:] = 0
    boxes = (Box(start=(0, 0, 0), stop=(1, 128, 64)), Box(start=(0, 0, 96), stop=(1, 128, 128), role="validation"))
    assert errors(files.config(files.source(labels=labels, boxes=boxes))) == ["no-validation-labels"]


def test_boxes_of_two_roles_that_share_voxels(files):
    boxes = (Box(start=(0, 0, 0), stop=(1, 128, 64)), Box(start=(0, 0, 63), stop=(1, 128, 128), role="validation"))
    assert errors(files.config(files.source(boxes=boxes))) == ["roles-overlap"]


def test_the_same_image_in_two_sources_is_one_image(files):
    source = files.source(boxes=(Box(start=(0, 0, 0), stop=(1, 128, 128)),))
    other = source.model_copy(update={"boxes": (Box(start=(0, 0, 0), stop=(1, 64, 64), role="test"),)})
    assert set(errors(TrainConfig(sources=(source, other)))) == {"roles-overlap"}


def test_images_that_differ_in_channels_and_voxel_size(files):
    first = files.source(voxel_size=(1, 100, 100))
    path = files.folder / "two.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 99, (2, 128, 128), np.uint8), metadata={"axes": "CYX"})
    two = Source(image=path, labels=first.labels, voxel_size=(1, 200, 200))
    found = check(TrainConfig(sources=(first, two)))
    assert [f.code for f in found.errors] == ["mixed-channels"]
    assert "mixed-voxel-sizes" in [f.code for f in found.warnings]
    assert check(TrainConfig(sources=(first, two.model_copy(update={"channels": (1,)})))).ready


def test_a_voxel_size_known_for_some_images_only(files):
    first = files.source(voxel_size=(1, 100, 100))
    other = Source(image=files.image((128, 128), name="b.tif"), labels=first.labels)
    assert "unknown-voxel-size" in warnings(TrainConfig(sources=(first, other)))


def test_one_voxel_thick_is_another_axis_order(files):
    labels = files.objects((64, 64))[:, None, :]
    config = files.config(Source(image=files.image((64, 1, 64)), labels=files.labels(labels)))
    assert "image-thin" in errors(config)


def test_too_coarse_a_magnification(files):
    assert "no-volume" in errors(files.config(files.source(magnification="256-256-1")))


def test_extents_are_those_of_the_training_magnification(files):
    found = check(files.config(files.source((128, 128), voxel_size=(1, 10, 10), magnification="2-2-1")))
    assert found.voxel_size == (1, 20, 20)
    assert found.roles["train"].voxels <= 64 * 64


def test_boxes_cannot_belong_to_a_folder_of_images(files):
    for place in ("images", "labels"):
        (files.folder / place).mkdir()
    for number in range(2):
        files.image((64, 64), name=f"images/{number}.tif")
        files.labels(files.objects((64, 64)), name=f"labels/{number}.tif")
    source = Source(image=files.folder / "images", labels=files.folder / "labels")
    found = check(files.config(source))
    assert found.ready and (found.roles["train"].boxes, found.roles["validation"].boxes) == (1, 1)
    with_box = source.model_copy(update={"boxes": (Box(start=(0, 0, 0), stop=(1, 64, 64)),)})
    assert errors(files.config(with_box)) == ["BoxError"]


def test_nothing_is_written(files):
    config = files.config()
    before = sorted(path.name for path in files.folder.iterdir())
    check(config)
    assert sorted(path.name for path in files.folder.iterdir()) == before
