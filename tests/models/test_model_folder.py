"""Saving, loading and what is said of a model that is not whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from napari_aitrain import nets
from napari_aitrain.errors import ModelError, OutputExistsError
from napari_aitrain.models import DataCard, ModelCard, load_model, save_model

CONFIG = {
    "dims": 2,
    "in_channels": 1,
    "heads": 2,
    "stem": (1, 2, 2),
    "widths": (4, 8),
    "pools": ((1, 2, 2),),
    "kernels": ((1, 3, 3), (1, 3, 3)),
}


def make_card(**changes: object) -> ModelCard:
    values: dict[str, object] = {
        "name": "nuclei α",
        "task": "semantic",
        "dims": 2,
        "network": CONFIG,
        "classes": (0, 3),
        "normalisation": {"low": (1.0,), "high": (2.5,)},
        "voxel_size": (50, 4, 4),
        "channels": ("DAPI",),
        "metrics": {"validation": {"score": 0.5, "voi": float("nan")}},
        "data": DataCard(split="by box"),
    }
    return ModelCard.model_validate(values | changes)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    network = nets.build_network(nets.NetworkConfig.model_validate(CONFIG)).to(memory_format=torch.channels_last)
    folder = tmp_path / "käse und wein" / "model"
    save_model(folder, make_card(), network.state_dict())
    return folder


def test_round_trip_gives_the_same_network_and_card(saved: Path) -> None:
    model = load_model(saved)
    torch.manual_seed(1)
    expected = nets.build_network(nets.NetworkConfig.model_validate(CONFIG)).eval()
    image = torch.rand(1, 1, 16, 16)
    assert torch.equal(model.network()(image), expected(image))
    assert not model.network().training
    card = model.card
    expected_card = make_card(created=card.created, weights_sha256=card.weights_sha256)
    assert card.model_dump_json() == expected_card.model_dump_json()
    assert card.metrics["validation"]["voi"] is None
    assert (card.channels, card.voxel_size, card.metrics["validation"]["score"]) == (("DAPI",), (50, 4, 4), 0.5)


def test_a_job_folder_that_holds_a_model_is_taken(saved: Path) -> None:
    assert load_model(saved.parent).folder == saved


def test_nothing_is_overwritten_unless_asked(saved: Path) -> None:
    before = (saved / "model.json").read_bytes()
    with pytest.raises(OutputExistsError):
        save_model(saved, make_card(), {"a": torch.zeros(1)})
    assert (saved / "model.json").read_bytes() == before
    save_model(saved, make_card(comments="second"), {"a": torch.ones(1)}, replace=True)
    assert load_model(saved).card.comments == "second"
    assert load_model(saved).state_dict()["a"].item() == 1
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_folder_that_is_no_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        save_model(tmp_path / "photos", make_card(), {}, replace=True)
    assert (tmp_path / "photos" / "a.txt").read_text() == "mine"


def test_a_save_killed_between_its_renames_leaves_the_older_model(saved: Path) -> None:
    saved.rename(saved.with_name(".model.replaced"))
    assert load_model(saved).card.name == "nuclei α"
    assert load_model(saved.parent).card.name == "nuclei α"
    save_model(saved, make_card(comments="new"), {"a": torch.ones(1)}, replace=True)
    assert load_model(saved).card.comments == "new"


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="holds no model"):
        load_model(tmp_path)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damaged_weights(saved: Path, damage: str) -> None:
    weights = saved / "weights.safetensors"
    raw = weights.read_bytes()
    if damage == "remove":
        weights.unlink()
    else:
        weights.write_bytes(raw[:-5] if damage == "cut" else raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"weights\.safetensors is damaged"):
        load_model(saved)


def test_weights_damaged_after_opening(saved: Path) -> None:
    model = load_model(saved)
    (saved / "weights.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(ModelError, match="damaged"):
        model.network()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "newer version"),
        ({"format_version": None}, "not the card"),
        ({"dims": 7}, "dims"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_cards_that_cannot_be_used(saved: Path, change: dict[str, object], message: str) -> None:
    card = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    (saved / "model.json").write_text(json.dumps(card | change), encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        load_model(saved)


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00"])
def test_card_that_is_not_json(saved: Path, text: str) -> None:
    (saved / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError):
        load_model(saved)


def test_weights_of_another_network(saved: Path) -> None:
    save_model(saved, make_card(), {"other": torch.zeros(2)}, replace=True)
    with pytest.raises(ModelError, match="do not fit"):
        load_model(saved).network()
