"""Files of weights: those of Cellpose open here, those written here open in Cellpose, and all else is refused."""

from __future__ import annotations

import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from small_cellpose import SMALL, WIDE, cellpose_file, small_network

from napari_aitrain.errors import ModelError, OutputExistsError
from napari_aitrain.inference import predict_array, prepare_image
from napari_aitrain.inference.planning import make_network
from napari_aitrain.models import (
    Model,
    export_cellpose,
    find_model,
    import_model,
    load_model,
    read_card,
    save_model,
    save_threshold,
    weights,
)
from napari_aitrain.nets import CellposeConfig, read_network
from napari_aitrain.nets import cellpose as network_module
from napari_aitrain.nets.cellpose import to_cellpose
from napari_aitrain.nets.cellpose_package import cellpose_module
from napari_aitrain.tasks.protocol import Objects
from napari_aitrain.tasks.tally import InstanceTally
from napari_aitrain.volumes import Volume

pytest.importorskip("cellpose")
pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks")


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch):
    """Cellpose's own API, with a network as small as those of these tests; its sizes stand nowhere in a file."""
    models = cellpose_module("models")

    def small(dtype: torch.dtype = torch.float32) -> torch.nn.Module:
        with network_module._encoder(WIDE) as vit:
            return vit.CPSAM(dtype=dtype)

    monkeypatch.setattr(models, "CPSAM", small)
    return lambda path: models.CellposeModel(gpu=False, pretrained_model=str(path), use_bfloat16=False)


def image(*shape: int) -> np.ndarray:
    noise = np.random.default_rng(5).normal(size=shape)
    return (1000 + 400 * gaussian_filter(noise, [3 if n > 4 else 0 for n in shape])).astype(np.float32)


def predicted(model: Model, pixels: np.ndarray, axes: str) -> tuple[np.ndarray, Objects]:
    """Return maps and objects, as a prediction makes them."""
    prepared = prepare_image(model, Volume.from_array(pixels, axes=axes))
    seen, task, dims = prepared.read(prepared.volume.region), model.task(), model.card.dims
    maps = predict_array(make_network(model, "cpu", "float32"), task.activate, seen, dims)
    return maps, task.decode(maps, prepared.decode_size, dims)


def same_maps(maps: np.ndarray, flows: np.ndarray, logits: np.ndarray) -> None:
    assert np.allclose(2 * maps[-1 - len(flows) : -1] - 1, np.clip(flows / 5, -1, 1), atol=1e-4)
    assert np.allclose(maps[-1], 1 / (1 + np.exp(-logits)), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_file_of_cellpose_gives_what_it_gives_there(tmp_path: Path, api, channels: int) -> None:
    path = cellpose_file(tmp_path / "mine", WIDE)
    pixels = image(channels, 150, 120) * np.arange(1, channels + 1).reshape(-1, 1, 1)
    maps, objects = predicted(load_model(path), pixels, "cyx")
    labels, (_, flows, logits), _ = api(path).eval(pixels, channel_axis=0, max_size_fraction=1.0)
    same_maps(maps[:, 0], flows, logits)
    # One of the least allowed size may go either way.
    assert abs(int(objects.labels.max()) - int(labels.max())) <= 2 and labels.max() > 100
    assert InstanceTally.count(objects.labels[0], labels.astype(np.int32)).metrics()["ap90"] > 0.98


def test_thresholds_mean_the_same(tmp_path: Path, api) -> None:
    path = cellpose_file(tmp_path / "mine", WIDE)
    model, counts = load_model(path), []
    for cellprob, flow in ((0.0, 0.4), (1.1, 0.5), (0.0, 0.26)):
        card = model.card.model_copy(update={"task_settings": {"cellprob_threshold": cellprob, "flow_threshold": flow}})
        _, objects = predicted(replace(model, card=card), image(100, 90), "yx")
        labels = api(path).eval(
            image(100, 90), cellprob_threshold=cellprob, flow_threshold=flow, max_size_fraction=1.0
        )[0]
        counts.append((int(objects.labels.max()), int(labels.max())))
    assert all(abs(mine - theirs) <= 1 for mine, theirs in counts)
    assert len({mine for mine, _ in counts}) == 3


def test_a_volume_gives_what_it_gives_there(tmp_path: Path, api) -> None:
    path = cellpose_file(tmp_path / "mine", WIDE)
    model, pixels = load_model(path).in_dims(3), image(3, 6, 5)
    maps, objects = predicted(model, pixels, "zyx")
    labels, (_, flows, logits), _ = api(path).eval(pixels, z_axis=0, do_3D=True, max_size_fraction=1.0)
    same_maps(maps, flows / 2, logits / 3)
    assert objects.labels.max() == labels.max()


def test_a_model_goes_out_and_comes_back(tmp_path: Path, api) -> None:
    made = save_model(
        tmp_path / "model",
        load_model(cellpose_file(tmp_path / "first", WIDE)).card,
        small_network(WIDE, seed=1).state_dict(),
    )
    export_cellpose(made, tmp_path / "out")
    maps, _ = predicted(made, image(80, 70), "yx")
    _, (_, flows, logits), _ = api(tmp_path / "out").eval(image(80, 70))
    same_maps(maps[:, 0], flows, logits)
    again = load_model(tmp_path / "out").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in made.state_dict().items())
    with pytest.raises(OutputExistsError):
        export_cellpose(made, tmp_path / "out")


def test_what_cellpose_saves_opens_here(tmp_path: Path, api) -> None:
    theirs = api(cellpose_file(tmp_path / "first", WIDE))
    theirs.net.save_model(str(tmp_path / "saved"))
    assert load_model(tmp_path / "saved").card.network == load_model(tmp_path / "first").card.network


def test_a_file_becomes_a_model_of_the_store(tmp_path: Path) -> None:
    path = cellpose_file(tmp_path / "my cells")
    stored = import_model(path)
    assert (stored.folder.parent.name, stored.card.task, stored.card.dims) == ("my cells", "cellpose", 2)
    assert stored.card.diameter == 30 and read_network(stored.card.network) == SMALL
    assert save_threshold(stored.folder, 0.2).threshold == 0.2
    volume = import_model(path, "volumes", 3)
    assert find_model("volumes").card.dims == 3 and read_network(volume.card.network).dims == 3
    assert find_model("my cells/v1").network().state_dict().keys() == volume.network().state_dict().keys()


def test_settings_cannot_be_kept_in_a_file(tmp_path: Path) -> None:
    path = cellpose_file(tmp_path / "mine")
    with pytest.raises(ModelError, match="models import"):
        save_threshold(path, 0.2)
    assert read_card(path).threshold == 0


def test_known_weights_are_found_by_name_and_opened_without_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"weights download cpsam_v2") as told:
        find_model("cpsam_v2")
    assert str(tmp_path / "cellpose" / "cpsam_v2") in told.value.expected
    known = weights.KNOWN[0]
    (tmp_path / "cellpose").mkdir()
    with (tmp_path / "cellpose" / "cpsam_v2").open("wb") as file:
        file.truncate(known.size)
    card = find_model("cpsam_v2").card
    assert (card.task, card.weights_sha256) == ("cellpose", known.sha256) and "CC BY-NC" in card.comments
    with pytest.raises(ModelError, match="no file of weights"):
        find_model("cpsam_v2").state_dict()


class Evil:
    """Would make a file, were it unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


def disguised_zip(path: Path) -> None:
    torch.save({"W2": torch.zeros(1), "encoder": Evil()}, path)


def disguised_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"W2": Evil()}))


def truncated(path: Path) -> None:
    path.write_bytes(cellpose_file(path).read_bytes()[:-2000])


def of_cellpose_3(path: Path) -> None:
    parts = ("downsample.down.res_down_0.conv.conv_0.0.weight", "output.2.weight", "diam_mean")
    torch.save({name: torch.zeros(2) for name in parts}, path)


def of_dino(path: Path) -> None:
    torch.save({"encoder.cls_token": torch.zeros(1), "W2": torch.zeros(1)}, path)


def web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html>Sign in</html>")


def of_another_network(path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(2)}, path)


def list_of_numbers(path: Path) -> None:
    torch.save([1, 2, 3], path)


def a_part_missing(path: Path) -> None:
    state = to_cellpose(small_network().state_dict())
    torch.save({name: tensor for name, tensor in state.items() if "blocks.0.attn.rel_pos_h" not in name}, path)


def text(path: Path) -> None:
    path.write_text("cpsam")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(("make", "told"), [
    (disguised_zip, "more than weights.*could run programs"),
    (disguised_pickle, "more than weights.*could run programs"),
    (truncated, "cut short"),
    (of_cellpose_3, "Cellpose 3 or older"),
    (of_dino, "DINOv3"),
    (web_page, "web page"),
    (of_another_network, "parts are not those"),
    (list_of_numbers, "other things than weights"),
    (a_part_missing, "parts are missing"),
    (text, "no file of weights"),
    (empty, "no file of weights"),
])  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make, told: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file"
    make(path)
    with pytest.raises(ModelError, match=told) as caught:
        load_model(path).network()
    assert caught.value.expected and caught.value.remedy
    assert not (tmp_path / "pwned").exists()


def test_of_a_packed_model_it_is_said_what_to_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "nuclei-v2.aitrain.zip", "w") as file:
        file.writestr("aitrain.json", "{}")
    with pytest.raises(ModelError, match=r"nuclei-v2\.aitrain\.zip is no model that") as caught:
        load_model(tmp_path / "nuclei-v2.aitrain.zip")
    assert "models import" in caught.value.remedy


def test_weights_that_do_not_fit_their_sizes_are_refused(tmp_path: Path) -> None:
    state = to_cellpose(small_network().state_dict())
    del state["encoder.blocks.1.mlp.lin1.weight"]
    torch.save(state, tmp_path / "file")
    with pytest.raises(ModelError, match="do not fit"):
        load_model(tmp_path / "file").network()


def test_old_names_and_older_files_are_understood(tmp_path: Path) -> None:
    state = to_cellpose(small_network().state_dict())
    for name in ("diam_labels", "diam_mean"):
        del state[name]
    torch.save({f"module.{name}": tensor.half() for name, tensor in state.items()}, tmp_path / "file")
    opened = load_model(tmp_path / "file")
    assert opened.state_dict()["net.diam_mean"].item() == 30
    assert next(opened.network().parameters()).dtype == torch.float32


def test_another_network_is_not_exported(tmp_path: Path) -> None:
    card = read_card(cellpose_file(tmp_path / "mine")).model_copy(update={"network": {"architecture": "unet"}})
    with pytest.raises(ModelError, match="not the network of Cellpose"):
        export_cellpose(Model(tmp_path / "mine", card), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_at_full_size_it_gives_what_cellpose_gives(tmp_path: Path) -> None:
    path = cellpose_file(tmp_path / "whole", CellposeConfig())
    model = load_model(path)
    assert read_network(model.card.network) == CellposeConfig() and path.stat().st_size > 1.2e9
    maps, objects = predicted(model, image(60, 50), "yx")
    theirs = cellpose_module("models").CellposeModel(gpu=False, pretrained_model=str(path), use_bfloat16=False)
    labels, (_, flows, logits), _ = theirs.eval(image(60, 50), max_size_fraction=1.0)
    same_maps(maps[:, 0], flows, logits)
    assert objects.labels.max() == labels.max() > 10
    del theirs
    stored = save_model(tmp_path / "model", model.card, model.state_dict())
    export_cellpose(stored, tmp_path / "out")
    first, second = (load_model(p).state_dict() for p in (path, tmp_path / "out"))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
