"""The choice of classes: which are learned, and that all others count as background."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.errors import ConfigError
from napari_aitrain.training.config_file import config_to_yaml, parse_config, read_config
from napari_aitrain.training.crops import freeze_crops
from napari_aitrain.training.readiness import check
from napari_aitrain.training.wanted import wanted_boxes

LEFT = Box(start=(0, 0, 0), stop=(1, 128, 64), name="left")
RIGHT = Box(start=(0, 0, 96), stop=(1, 128, 128), role="validation", name="right")
RAW = np.zeros((128, 128), np.uint8)
RAW[:40], RAW[40:60], RAW[60:80], RAW[80:100] = 7, 2, 5, 6


def codes(config):
    return [finding.code for finding in check(config).findings]


@pytest.mark.parametrize(
    ("sparse", "background", "chosen", "becomes"),
    [
        (False, None, (2, 5), {0: 0, 2: 2, 5: 5, 6: 0, 7: 0}),
        (True, 7, (2,), {0: -1, 2: 2, 5: 0, 6: 0, 7: 0}),
        (True, 7, (2, 7), {0: -1, 2: 2, 5: 0, 6: 0, 7: 0}),
        (True, None, (2,), {0: -1, 2: 2, 5: 0, 6: 0, 7: 0}),
        (True, 7, (), {0: -1, 2: 2, 5: 5, 6: 6, 7: 0}),
    ],
)
def test_other_classes_are_background(files, tmp_path, sparse, background, chosen, becomes):
    source = files.source(labels=RAW, sparse=sparse, background_id=background, boxes=(LEFT, RIGHT))
    config = files.config(source, task="semantic", classes=chosen)
    crops = freeze_crops(config, tmp_path)
    assert crops.classes == tuple(sorted({to for to in becomes.values() if to >= 0}))
    for crop in crops.crops:
        _, y, x = crop.region.slices
        wanted = np.vectorize(becomes.get)(RAW[y, x])
        assert np.array_equal(crop.labels[0], wanted)
        assert crop.class_voxels == {i: int((wanted == i).sum()) for i in crops.classes}
    found = check(config)
    assert found.ready and found.classes == crops.classes
    assert found.roles["train"].class_voxels == crops.crops[0].class_voxels
    (now,) = wanted_boxes(config)
    assert now.planned(now.region).labelled.voxels == crops.crops[0].class_voxels


def test_a_box_that_is_cut_in_two_keeps_the_choice(files):
    found = check(files.config(files.source(labels=np.tile(RAW, (2, 2)), shape=(256, 256)), task="semantic",
                               classes=(5,)))  # fmt: skip
    assert found.ready and set(found.roles["validation"].class_voxels) <= {0, 5}


def test_what_is_chosen_and_not_labelled_is_told(files):
    source = files.source(labels=RAW, boxes=(LEFT, RIGHT))
    config = files.config(source, task="semantic")
    assert "class-not-labelled" in codes(config.model_copy(update={"classes": (2, 9)}))
    for chosen in ((9,), (0,)):
        (error,) = check(config.model_copy(update={"classes": chosen})).errors
        assert (error.code, error.where) == ("classes-not-labelled", "classes")


def test_objects_have_no_classes(files):
    source = files.source(boxes=(LEFT, RIGHT))
    chosen, all_ = (check(files.config(source, classes=one)) for one in ((2,), ()))
    assert "classes-not-used" in [finding.code for finding in chosen.warnings]
    assert chosen.roles == all_.roles


def test_the_choice_survives_the_job_file(files, tmp_path):
    config = files.config(files.source(), task="semantic", classes=(2, 5))
    (tmp_path / "job.yaml").write_text(config_to_yaml(config), encoding="utf-8")
    assert read_config(tmp_path / "job.yaml") == config
    with pytest.raises(ConfigError, match="classes"):
        parse_config({"classes": [-1]})
