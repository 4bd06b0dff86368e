"""The first preview comes from a pixel forest before the first step, and is already of use."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.models import load_model
from napari_aitrain.tasks.tally import InstanceTally
from napari_aitrain.training.previewer import Previewer
from napari_aitrain.training.teacher import Teacher


def shown(result, number: int):
    event = result.of("preview")[number]
    with np.load(result.folder / "previews" / event["path"], allow_pickle=False) as arrays:
        return event["step"], arrays["labels"], arrays["truth"]


def test_objects_are_found_before_the_first_step(make_config, run) -> None:
    result = run("job")(make_config(steps=2))
    step, labels, truth = shown(result, 0)
    assert step == 0
    by = [event["by"] for event in result.of("preview")]
    assert (by[0], by[-1]) == ("forest", "network")
    assert InstanceTally.count(labels, truth).metrics()["ap50"] > 0.5


def test_dense_validation_lets_the_better_of_forest_and_network_be_shown(make_config, run, monkeypatch) -> None:
    judge, judged = Teacher.judge, []

    def noted(self, *about):
        metrics = judge(self, *about)
        judged.append(self.blend)
        return metrics

    monkeypatch.setattr(Teacher, "judge", noted)
    monkeypatch.setattr(Teacher, "_metrics", lambda self, maps, _: {"score": scores.pop(0)})
    for network, forest in ((0.2, 0.5), (0.6, 0.5)):
        scores = [network, forest]
        run(f"job {network}")(make_config(steps=1))
    assert judged == [1.0, 0.0]


def test_what_is_shown_at_the_end_is_the_model(make_config, run, monkeypatch) -> None:
    blends = []
    monkeypatch.setattr(Previewer, "show", lambda self: blends.append(self.teacher.blend))
    run("job")(make_config(steps=1))
    assert (blends[0], blends[-1]) == (1.0, 0.0)


def test_a_model_to_go_on_from_shows_itself_at_once(make_config, run, monkeypatch) -> None:
    first = run("first")(make_config(steps=2))
    blends = []
    monkeypatch.setattr(Previewer, "show", lambda self: blends.append(self.teacher.blend))
    run("again")(make_config(steps=1, start_from=str(load_model(first.folder).folder)))
    assert blends[0] == 0


@pytest.mark.parametrize("extent", [12, 40, 96])
def test_a_forest_knows_images_of_every_size(extent: int) -> None:
    from napari_aitrain.training.forest import PixelForest

    rng = np.random.default_rng(0)
    image, labels = rng.random((1, 1, 96, 96), np.float32), rng.integers(0, 2, (1, 96, 96)).astype(np.int32)
    forest = PixelForest().fit(image, labels, (0, 1), 0)
    assert forest.predict(image[:, :, :extent, :extent].copy()).shape == (2, 1, extent, extent)
