"""Settings that are moved on stored maps, and kept in a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from napari_aitrain.errors import ConfigError, ModelError
from napari_aitrain.models import ModelCard, read_card, save_settings
from napari_aitrain.tasks import get_task, make_task, task_names
from napari_aitrain.tasks.instances import InstancesTask
from napari_aitrain.tasks.protocol import TaskSettings
from napari_aitrain.tasks.sliders import slider_values, sliders_of, with_values


@pytest.mark.parametrize("name", task_names())
def test_every_slider_of_a_task_has_limits_that_can_be_chosen(name: str) -> None:
    task = get_task(name)
    found = sliders_of(task)
    assert tuple(slider.name for slider in found) == task.sliders
    for slider in found:
        assert slider.title
        assert slider.tip
        for value in (slider.low, slider.high):
            made = with_values(make_task(name), {slider.name: value})
            assert slider_values(made)[slider.name] == pytest.approx(value)


class _Settings(TaskSettings):
    probability: Annotated[float, Field(ge=-6, le=6, title="Cell probability", description="What is a cell.")] = 0.0
    error: Annotated[float, Field(ge=0, le=3)] = 0.4
    largest: Annotated[int, Field(gt=0, lt=200)] = 50
    endless: Annotated[float, Field(ge=0)] = 1.0


class _Task(InstancesTask):
    Settings = _Settings
    sliders = ("probability", "error", "largest", "endless")


def test_sliders_follow_the_fields() -> None:
    found = {slider.name: slider for slider in sliders_of(_Task)}
    assert list(found) == ["probability", "error", "largest"]
    assert (found["probability"].low, found["probability"].high) == (-6, 6)
    assert found["probability"].title == "Cell probability"
    assert (found["probability"].step, found["probability"].decimals) == (0.1, 1)
    assert (found["error"].title, found["error"].step) == ("Error", 0.01)
    assert (found["largest"].low, found["largest"].high, found["largest"].step) == (1, 199, 1)


def test_other_values_keep_all_other_settings() -> None:
    task = make_task("em-instances", {"max_distance": 300, "foreground": 0.4})
    moved = with_values(task, {"split": 0.8})
    assert moved.settings.model_dump() == task.settings.model_dump() | {"split": 0.8}
    with pytest.raises(ConfigError, match="split"):
        with_values(task, {"split": 2.0})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A job with a card of a model; there is no need for weights."""
    card = ModelCard(task="instances", dims=2, network={}, threshold=0.3, task_settings={"minimum_size": 7})
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(card.model_dump_json())
    return tmp_path


def test_what_is_kept_is_what_the_model_predicts_with(model: Path) -> None:
    card = save_settings(model, {"split": 0.7})
    assert read_card(model) == card
    assert (card.task_settings["split"], card.task_settings["minimum_size"], card.threshold) == (0.7, 7, 0.3)


def test_what_cannot_be_is_not_kept(model: Path) -> None:
    before = (model / "model" / "model.json").read_bytes()
    for wrong in ({"split": 7.0}, {"splitting": 0.5}):
        with pytest.raises(ConfigError):
            save_settings(model, wrong)
    assert (model / "model" / "model.json").read_bytes() == before
    with pytest.raises(ModelError):
        save_settings(model / "nowhere", {"split": 0.5})


def test_objects_are_made_without_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from napari_aitrain.tasks import make_task\n"
        "from napari_aitrain.tasks.sliders import with_values\n"
        "maps = np.zeros((3, 1, 32, 32), np.uint8); maps[:2, :, 8:20, 8:20] = 255\n"
        "found = with_values(make_task('instances'), {'split': 0.8}).decode(maps, None, 2)\n"
        "assert found.labels.max() == 1\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
