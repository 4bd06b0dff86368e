"""Live views: predicted at once, again and again, at a bounded cost, without changing what is learned."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch

from napari_aitrain.models import load_model
from napari_aitrain.tasks import make_task
from napari_aitrain.training import previewer
from napari_aitrain.training.previewer import Previewer

KINDS = ("labels", "scores", "uncertainty", "probability")


def ask(run, number: int, array: np.ndarray, **more: object) -> dict[str, object]:
    """Write a view into the job folder and return the message for it."""
    (run.folder / "views").mkdir(parents=True, exist_ok=True)
    np.save(run.folder / "views" / f"{number:06d}.npy", array)
    return {"kind": "preview", "view": {"request": number, "file": f"views/{number:06d}.npy", **more}}


def view_of(config, height: int = 80) -> np.ndarray:
    return tifffile.imread(config.sources[0].image)[None, None, :height]


def once(*messages):
    """Return a control that gives these messages, one list per question, and then nothing."""
    waiting = [list(some) for some in messages]
    return lambda run: waiting.pop(0) if waiting else []


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_a_view_is_answered_with_arrays_to_be_mapped(task, make_config, run) -> None:
    config, result = make_config(task, steps=6), run("job")
    result.when = once([ask(result, 12, view_of(config), source=str(config.sources[0].image))])
    result(config)
    told = result.of("preview")
    assert {event["request"] for event in told} == {12}
    assert told[0]["step"] == 0
    assert told[-1]["step"] == 6
    found = {k: np.load(result.folder / "previews" / told[-1][k], mmap_mode="r") for k in KINDS}
    assert found["labels"].shape == found["uncertainty"].shape == (1, 80, 96)
    assert (found["labels"].dtype, found["scores"].dtype) == (np.int32, np.float32)
    assert {found["uncertainty"].dtype, found["probability"].dtype} == {np.dtype(np.uint8)}
    classes = {"instances": 1, "semantic": 2}[task]
    assert found["probability"].shape == (classes, 1, 80, 96)
    assert len(found["scores"]) == (found["labels"].max() + 1 if task == "instances" else 0)
    assert ("maps" in told[-1]) == ("settings" in told[-1]) == (task == "instances")
    if task == "instances":
        # The objects that are shown are those that a window makes of the maps by the same settings.
        maps = np.load(result.folder / "previews" / told[-1]["maps"])
        again = make_task(task, told[-1]["settings"]).decode(maps, told[-1]["voxel_size"], 2)
        assert maps.dtype == np.uint8
        assert np.array_equal(again.labels, found["labels"])
        assert np.array_equal(again.scores, found["scores"])


def test_the_last_three_answers_are_kept_and_names_are_never_used_again(make_config, run, monkeypatch) -> None:
    monkeypatch.setattr(previewer, "FIRST_STEPS", 0)
    config, result = make_config(steps=9), run("job")
    result.when = once(*([ask(result, n, view_of(config, 40 + n))] for n in range(1, 7)))
    result(config)
    files = sorted(path.name for path in (result.folder / "previews").glob("view-*.npy"))
    assert len(files) == 3 * len([*KINDS, "maps"])
    names = [event["labels"] for event in result.of("preview")]
    assert len(set(names)) == len(names)
    again = run("job")
    again.when = once([ask(again, 9, view_of(config))])
    again(config.model_copy(update={"steps": 11}))
    assert not set(names) & {event["labels"] for event in again.of("preview")}
    assert again.of("preview")[0]["step"] == 9


def test_previews_do_not_change_what_is_learned(make_config, run) -> None:
    config, weights = make_config("semantic", steps=5), []
    for name in ("without", "with"):
        result = run(name)
        if name == "with":
            result.when = once(*([ask(result, n, view_of(config, 40 + n))] for n in range(1, 6)))
        result(config)
        weights.append(load_model(result.folder).state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_a_paused_training_still_answers(make_config, run) -> None:
    config, result = make_config(steps=5), run("job")
    asked = [False]

    def control(r):
        states = [e["state"] for e in r.of("state")]
        if r.of("preview") and states[-1] == "running" and "paused" not in states:
            return [{"kind": "pause"}, ask(r, 2, view_of(config, 48))]
        if states[-1] == "paused" and any(e.get("request") == 2 for e in r.of("preview")):
            asked[0] = True
            return [{"kind": "resume"}]
        return []

    result.when = control
    result(config)
    assert asked[0]
    assert result.of("done")[0]["steps"] == 5


@pytest.mark.parametrize(
    "wrong",
    ["missing.npy", "../outside.npy", "flat.npy", "channels.npy", "object.npy", "text.npy"],
)
def test_a_view_that_cannot_be_shown_is_told_and_harms_nothing(wrong, make_config, run) -> None:
    result = run("job")
    result.folder.mkdir()
    np.save(result.folder.parent / "outside.npy", np.zeros((1, 1, 8, 8)))
    np.save(result.folder / "flat.npy", np.zeros((8, 8)))
    np.save(result.folder / "channels.npy", np.zeros((3, 1, 64, 64)))
    np.save(result.folder / "object.npy", np.array([{}]), allow_pickle=True)
    (result.folder / "text.npy").write_text("no array")
    result.when = once([{"kind": "preview", "view": {"request": 1, "file": wrong}}], [{"kind": "preview", "view": {}}])
    result(make_config(steps=5))
    assert len(result.warnings()) == 2
    assert result.of("preview")[-1]["path"] == "000005.npz"


class Clock:
    """Time that passes by steps and by previews, as told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_previews_take_a_bounded_share_even_of_somebody_who_never_stops_scrolling(
    make_config, tmp_path, monkeypatch
) -> None:
    from napari_aitrain.training.crops import freeze_crops
    from napari_aitrain.training.setup import prepare

    config = make_config(preview_interval=0.5)
    setup = prepare(config, freeze_crops(config, tmp_path), tmp_path / "crops")
    clock, spent = Clock(), [0.0]
    shown = Previewer(tmp_path, setup, lambda kind, **data: None, clock)

    def maps():
        clock.now += 0.2
        spent[0] += 0.2
        return np.zeros((3, 1, 96, 96), np.float32)

    monkeypatch.setattr(shown, "_maps", maps)
    (tmp_path / "views").mkdir()
    np.save(tmp_path / "views" / "1.npy", view_of(config))
    for number in range(1000):
        shown.ask({"view": {"request": number, "file": "views/1.npy"}})
        setup.trainer.steps += 1
        clock.now += 0.1
        shown.show_if_due()
    assert spent[0] <= previewer.MOST * clock.now + previewer.BURST + 0.2
    assert spent[0] > 0.5 * previewer.MOST * clock.now
