"""The training loop: learning, resume to the bit, stop, pause, previews, fall-back and the model that is left."""

import math

import numpy as np
import pytest
import torch

from napari_aitrain.errors import JobError, NotReadyError, TrainingDivergedError
from napari_aitrain.models import load_model
from napari_aitrain.training import loop
from napari_aitrain.training.checkpoints import read_checkpoint
from napari_aitrain.training.trainer import Trainer


def same_weights(a, b) -> bool:
    first, second = load_model(a).state_dict(), load_model(b).state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def latest(folder):
    return read_checkpoint(folder / "checkpoints" / "latest.safetensors")


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_a_training_learns_and_leaves_a_model(task, make_config, run) -> None:
    result = run("job")(make_config(task, steps=40, batch_size=4))
    done = result.of("done")[0]
    assert done["steps"] == 40
    assert done["device"] == "cpu"
    assert done["precision"] == "float32"
    card = load_model(result.folder).card
    assert card.metrics["validation"]["score"] > 0.3
    assert card.steps == 40
    assert card.data.voxels["validation"] == 96 * 96
    assert "test" not in card.metrics


def test_resume_gives_what_an_unbroken_training_gives_to_the_bit(make_config, run) -> None:
    whole = run("whole")(make_config(steps=6))
    broken = run("broken")
    broken.when = lambda r: [{"kind": "stop"}] if len(latest_steps(r)) >= 3 else []
    config = make_config(steps=6)
    broken(config)
    assert latest(broken.folder)[1]["steps"] == 3
    again = run("broken")(config)
    assert again.of("done")[0]["steps"] == 6
    kept = [latest(r.folder)[0] for r in (whole, again)]
    assert kept[0].keys() == kept[1].keys()
    assert all(torch.equal(kept[0][k], kept[1][k]) for k in kept[0])
    assert same_weights(whole.folder, again.folder)


def test_a_resume_with_another_network_is_refused_and_the_checkpoint_stays(make_config, run) -> None:
    first = run("job")
    first(make_config(steps=2, network="small"))
    before = (first.folder / "checkpoints" / "latest.safetensors").read_bytes()
    with pytest.raises(JobError, match="another network") as refused:
        run("job")(make_config(steps=4, network="medium"))
    assert "job.yaml" in refused.value.remedy
    assert (first.folder / "checkpoints" / "latest.safetensors").read_bytes() == before


def latest_steps(result) -> list[int]:
    """Count the steps so far by the times that control was asked: twice before the first."""
    result.asked = getattr(result, "asked", -2) + 1
    return list(range(max(0, result.asked)))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(make_config, run) -> None:
    first, second, other = (run(n)(make_config(steps=2, seed=s)) for n, s in (("a", 1), ("b", 1), ("c", 2)))
    assert same_weights(first.folder, second.folder)
    assert not same_weights(first.folder, other.folder)


def test_a_stop_keeps_what_was_learned(make_config, run) -> None:
    result = run("job")
    result.when = lambda r: [{"kind": "stop"}] if len(latest_steps(r)) >= 2 else []
    result(make_config(steps=1000))
    assert result.of("done")[0]["steps"] == 2
    assert load_model(result.folder).card.steps == 2


def test_a_pause_saves_and_goes_on_when_told(make_config, run) -> None:
    result = run("job")
    messages = [[], [{"kind": "pause"}], [], [{"kind": "resume"}]]
    result.when = lambda r: messages.pop(0) if messages else []
    result(make_config(steps=3))
    assert [e["state"] for e in result.of("state")] == ["running", "paused", "running"]
    assert result.of("done")[0]["steps"] == 3


def test_previews_show_image_labels_and_uncertainty_of_one_place(make_config, run) -> None:
    result = run("job")(make_config(steps=6))
    names = [event["path"] for event in result.of("preview")]
    assert names[0] == "000000.npz", "the forest comes before the first step"
    with np.load(result.folder / "previews" / names[-1], allow_pickle=False) as shown:
        assert shown["image"].shape == (1, 1, 96, 96)
        assert shown["labels"].shape == shown["uncertainty"].shape == shown["truth"].shape == (1, 96, 96)
        assert int(shown["step"]) == 6


def test_a_preview_of_another_place_can_be_asked_for(make_config, run) -> None:
    result = run("job")
    asked = {"kind": "preview", "crop": 0, "start": [0, 8, 16], "stop": [1, 40, 64]}
    result.when = lambda r: [asked] if not r.of("preview") else []
    result(make_config(steps=5))
    assert result.of("preview")[0]["start"] == [0, 8, 16]
    with np.load(result.folder / "previews" / "000000.npz", allow_pickle=False) as shown:
        assert shown["labels"].shape == (1, 32, 48)


def test_a_loss_that_is_no_number_goes_back_twice_and_then_fails(make_config, run, monkeypatch) -> None:
    monkeypatch.setattr(Trainer, "step", lambda self, batch, factor, teaching: math.nan)
    result = run("job")
    with pytest.raises(TrainingDivergedError, match="non-finite"):
        result(make_config(steps=5))
    warnings = result.warnings()
    assert len(warnings) == 2
    assert "0.003" in warnings[0]
    assert "0.0015" in warnings[1]


def test_one_bad_loss_changes_no_weight_and_training_goes_on(make_config, run, monkeypatch) -> None:
    real, calls = Trainer.step, []

    def sometimes(self, batch, factor, teaching):
        calls.append(1)
        return math.nan if len(calls) == 2 else real(self, batch, factor, teaching)

    monkeypatch.setattr(Trainer, "step", sometimes)
    result = run("job")(make_config(steps=3))
    assert result.of("done")[0]["steps"] == 3
    assert len(result.warnings()) == 1


def test_training_goes_on_from_a_model(make_config, run) -> None:
    first = run("first")(make_config(steps=3))
    second = run("second")(make_config(steps=1, start_from=str(first.folder / "model"), learning_rate=1e-9))
    before, after = load_model(first.folder).state_dict(), load_model(second.folder).state_dict()
    assert torch.allclose(before["head.weight"], after["head.weight"], atol=1e-6)


def test_a_model_of_other_dimensions_is_refused(make_config, run) -> None:
    first = run("first")(make_config(steps=1))
    card = first.folder / "model" / "model.json"
    card.write_text(card.read_text().replace('"dims": 2', '"dims": 3'))
    with pytest.raises(NotReadyError, match="for 3-D images"):
        run("second")(make_config(steps=1, start_from=str(first.folder / "model")))


def test_validation_voxels_do_not_change_what_is_learned(make_config, run) -> None:
    import tifffile

    config = make_config(steps=3)
    first = run("first")(config)
    image = tifffile.imread(config.sources[1].image)
    tifffile.imwrite(config.sources[1].image, 255 - image)
    tifffile.imwrite(config.sources[1].labels, np.flip(tifffile.imread(config.sources[1].labels), 0))
    second = run("second")(config)
    kept = [latest(r.folder)[0] for r in (first, second)]
    assert all(torch.equal(kept[0][k], kept[1][k]) for k in kept[0])


def test_validation_chooses_settings_of_decoding_that_nobody_chose(make_config, run, monkeypatch) -> None:
    from napari_aitrain.tasks import get_task

    task = get_task("instances")
    monkeypatch.setattr(task, "alternatives", ({"minimum_size": 10**6}, {"foreground": 0.45}))
    monkeypatch.setattr("napari_aitrain.training.finish.SETTINGS_BETTER", -1.0)
    free = run("free")(make_config(steps=30, batch_size=4))
    assert load_model(free.folder).card.task_settings["foreground"] == 0.45
    chosen = run("chosen")(make_config(steps=2, task_settings={"foreground": 0.6, "minimum_size": 5}))
    assert load_model(chosen.folder).card.task_settings["foreground"] == 0.6


@pytest.mark.parametrize("blend", [0.0, 1.0])
def test_a_network_that_is_behind_the_forest_says_so(blend, make_config, run, monkeypatch) -> None:
    def judge(self, *_):
        self.blend = blend
        return {"score": 0.5}

    monkeypatch.setattr("napari_aitrain.training.teacher.Teacher.judge", judge)
    result = run("job")(make_config("semantic", steps=2))
    said = [event["message"] for event in result.of("warning")]
    assert (loop.BEHIND_FOREST in said) == (blend == 1)


def test_the_card_keeps_the_names_of_classes(make_config, run) -> None:
    names = {0: "background", 1: "disk", 9: "not there"}
    result = run("job")(make_config("semantic", steps=1, class_names=names))
    assert load_model(result.folder).card.class_names == {0: "background", 1: "disk"}
