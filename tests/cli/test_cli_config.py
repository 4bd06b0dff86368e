"""How the options of `train` and `check` become a config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from napari_aitrain.annotation.boxes import Box, write_boxes
from napari_aitrain.cli.options import DEFAULT_MINUTES, make_config, source_options, training_options
from napari_aitrain.cli.values import names_or_numbers, three_numbers
from napari_aitrain.errors import BoxError, ConfigError
from napari_aitrain.jobs.predict_config import parse_predict_config
from napari_aitrain.training.config import TrainConfig

NO_SOURCE = source_options(None, None, None, None, None)
NO_TRAINING = training_options(None, None, None, None, None, None, None)


def config_of(job: Path | None = None, images: Any = (), labels: Any = (), boxes: Any = (), **more: Any) -> TrainConfig:
    return make_config(job, images, labels, boxes, **({"of_source": NO_SOURCE, "of_training": NO_TRAINING} | more))


def test_images_labels_and_boxes_go_together_by_order(tmp_path: Path) -> None:
    for name, stop in (("a", 8), ("b", 9)):
        write_boxes(tmp_path / f"{name}.json", [Box(start=(0, 0, 0), stop=(1, stop, stop))])
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    config = config_of(None, [Path("a.tif"), Path("b.tif")], [Path("la.tif"), Path("lb.tif")], files)
    assert [(s.image.name, s.labels.name, s.boxes[0].stop[2]) for s in config.sources] == [
        ("a.tif", "la.tif", 8),
        ("b.tif", "lb.tif", 9),
    ]
    assert all(s.image.is_absolute() for s in config.sources)
    assert (config.name, config.minutes) == ("a", DEFAULT_MINUTES)


def test_classes_are_set_by_id(tmp_path: Path) -> None:
    config = config_of(None, [Path("a.tif")], [Path("b.tif")], settings=["task=semantic", "classes=[2, 5]"])
    assert config.classes == (2, 5)


@pytest.mark.parametrize(
    ("images", "labels", "boxes"),
    [([], [], []), (["a"], [], []), ([], ["a"], []), (["a", "b"], ["c"], []), (["a", "b"], ["c", "d"], ["e"])],
)
def test_numbers_that_do_not_match(images: list[str], labels: list[str], boxes: list[str]) -> None:
    with pytest.raises(ConfigError, match="there are"):
        config_of(None, *([Path(p) for p in paths] for paths in (images, labels, boxes)))


def test_options_hold_for_every_source() -> None:
    config = config_of(
        None,
        [Path("a"), Path("b")],
        [Path("c"), Path("d")],
        of_source=source_options("2-2-1", "50,4,4", "DAPI,1", "zyx", True),
        of_training=training_options("semantic", "2", Path("m"), "cpu", 3, None, 7, "named"),
        settings=["augmentation=light", "task_settings.weight=2"],
    )
    for source in config.sources:
        assert (source.magnification, source.voxel_size, source.channels) == ("2-2-1", (50, 4, 4), ("DAPI", 1))
        assert (source.axes, source.sparse) == ("zyx", True)
    assert (config.task, config.dims, config.seed, config.name) == ("semantic", "2", 3, "named")
    assert (config.steps, config.minutes, config.augmentation) == (7, None, "light")
    assert config.task_settings == {"weight": 2}


def test_settings_of_the_task_join_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(
        "task: em-instances\ntask_settings: {split: 0.7, max_distance: 5}\nsources: [{image: a.tif, labels: b.tif}]\n"
    )
    config = config_of(tmp_path / "job.yaml", of_task={"max_distance": 800.0})
    assert config.task_settings == {"split": 0.7, "max_distance": 800.0}
    assert config_of(tmp_path / "job.yaml", of_task={"max_distance": None}).task_settings["max_distance"] == 5


@pytest.mark.parametrize("size", [(0, 4, 4), (50, -4, 4)])
def test_a_voxel_size_of_zero_is_refused(size: Any) -> None:
    with pytest.raises(ConfigError, match="voxel size"):
        three_numbers(",".join(map(str, size)))
    with pytest.raises(ConfigError, match="voxel_size"):
        parse_predict_config({"model": "m", "image": "i.tif", "voxel_size": size})


def test_options_go_before_the_file_and_the_file_before_defaults(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("task: semantic\nseed: 5\nsources: [{image: a.tif, labels: b.tif}]\n")
    options = training_options(None, None, None, None, 9, None, None)
    config = config_of(tmp_path / "job.yaml", of_training=options)
    assert (config.task, config.seed, config.minutes) == ("semantic", 9, None)
    assert config.sources[0].image == tmp_path / "a.tif"
    with pytest.raises(ConfigError, match="both"):
        config_of(tmp_path / "job.yaml", [Path("a")], [Path("b")])


@pytest.mark.parametrize(
    ("setting", "match"),
    [("augmentation", "no value"), ("=3", "no value"), ("seed.x=3", "group"), ("seed=[", "read"), ("sed=3", "'seed'")],
)
def test_settings_that_are_none(tmp_path: Path, setting: str, match: str) -> None:
    (tmp_path / "job.yaml").write_text("seed: 5\n")
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path / "job.yaml", settings=[setting])
    assert match in str(caught.value)


@pytest.mark.parametrize("text", ["", "1", "1,2", "1,2,3,4", "a,b,c", "0,1,1", "-1,1,1"])
def test_voxel_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="voxel size"):
        three_numbers(text)


def test_channels() -> None:
    assert names_or_numbers("DAPI, 2,") == ["DAPI", 2]
    assert names_or_numbers(None) is None


def test_boxes_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps([{"start": [0, 0, 0], "stop": [0, 1, 1]}]))
    with pytest.raises(BoxError, match="box 1"):
        config_of(None, [Path("a")], [Path("b")], [tmp_path / "b.json"])
