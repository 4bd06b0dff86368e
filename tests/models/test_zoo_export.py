"""What is exported for the BioImage Model Zoo passes the zoo's own test, and gives the same numbers there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from zoo_models import own_model

from napari_aitrain.errors import ModelError, OutputExistsError
from napari_aitrain.inference.planning import make_network
from napari_aitrain.inference.predictor import predict_array
from napari_aitrain.models import Model, load_model
from napari_aitrain.models.card import ScriptCard
from napari_aitrain.models.zoo import About, export_bioimageio, import_bioimageio
from napari_aitrain.nets.exported import ExportedNetwork, exported_source
from napari_aitrain.tasks import get_task
from napari_aitrain.volumes.normalisation import Normalisation

core = pytest.importorskip("bioimageio.core", reason="the extra bioimageio is not installed")

CASES = {
    "2-D objects": {"voxel_size": (300.0, 100.0, 100.0)},
    "3-D classes": {"dims": 3, "task": "semantic", "channels": ("a", "b")},
    "objects seen smaller": {"scale": 0.52},
}


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))


def maps_here(model: Model, image: np.ndarray) -> np.ndarray:
    """Return the maps of an image, (c, z, y, x), as a prediction here makes them."""
    scaling = get_task(model.card.task).scaling
    seen = Normalisation.estimate(image.reshape(len(image), -1), scaling).apply(image)
    return predict_array(make_network(model, "cpu", "float32"), model.task().activate, seen, model.card.dims)


@pytest.mark.parametrize(
    "case", [case if case == "2-D objects" else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_it_passes_the_zoos_test_and_gives_the_same_numbers(case: str, tmp_path: Path) -> None:
    model = own_model(tmp_path / "model", **CASES[case])
    exported = export_bioimageio(model, tmp_path / "model.zip", About(authors=("Ada Lovelace",)))
    assert ("onnx" in exported.formats) == (case != "objects seen smaller"), exported.notes
    dims, channels = model.card.dims, int(model.card.network["in_channels"])
    step = make_network(model, "cpu").multiple
    shape = [8 if dims == 3 else 1, *(round(64 / n) * n for n in step[1:])]
    shape[0] = 32 if dims == 3 else 1
    image = np.random.default_rng(3).integers(0, 60_000, (channels, *shape)).astype(np.uint16)
    here = maps_here(model, image)
    for weights in exported.formats:
        summary = core.test_model(tmp_path / "model.zip", weight_format=weights)
        assert summary.status == "passed", summary.format()
        batch = image[None] if dims == 3 else image[None, :, 0]
        pipeline = core.create_prediction_pipeline(
            core.load_model_description(tmp_path / "model.zip"), weight_format=weights
        )
        sample = core.predict(model=pipeline, inputs={"image": batch})
        there = np.asarray(sample.members["maps"].data.data)[0]
        assert np.abs(there.reshape(here.shape) - here).max() < 1e-4


def test_it_comes_back_as_what_it_was(tmp_path: Path) -> None:
    model = own_model(tmp_path / "model", calibration=None, threshold=0.3, comments="Mine", scale=0.5)
    export_bioimageio(model, tmp_path / "model.zip", onnx=False)
    back = import_bioimageio(tmp_path / "model.zip")
    same = {"name", "task", "threshold", "comments", "scale", "network", "classes"}
    assert back.card.model_dump(mode="json", include=same) == model.card.model_dump(mode="json", include=same)
    before = model.state_dict()
    assert all(torch.equal(before[name], value) for name, value in back.state_dict().items())
    assert import_bioimageio(tmp_path / "model.zip").folder.name == "v2"


def test_nobody_learns_where_images_lie(tmp_path: Path) -> None:
    source = {"image": "/home/ada/secret/image.tif", "labels": "C:/ada/labels.tif"}
    model = own_model(tmp_path / "model", data={"sources": [source]}, parent="/home/ada/other")
    export_bioimageio(model, tmp_path / "model.zip", onnx=False)
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        text = archive.read("bioimageio.yaml").decode()
    assert "/home" not in text and "secret" not in text and "image.tif" in text


def test_the_source_is_one_file_that_gives_the_same(tmp_path: Path) -> None:
    model = own_model(tmp_path / "model", scale=2.0)
    export_bioimageio(model, tmp_path / "model.zip", onnx=False)
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        described = yaml.safe_load(archive.read("bioimageio.yaml"))
    assert "napari_aitrain" not in exported_source().split('"""', 2)[2]
    names: dict[str, object] = {"__name__": "aitrain_network"}
    exec(exported_source(), names)
    kwargs = described["weights"]["pytorch_state_dict"]["architecture"]["kwargs"]
    alone, here = names["ExportedNetwork"](**kwargs).eval(), ExportedNetwork(**kwargs).eval()  # type: ignore[operator]
    alone.load_state_dict(here.state_dict())
    image = torch.rand(1, 1, 16, 24)
    assert torch.equal(alone(image), here(image))


def test_the_test_can_be_a_piece_of_ones_own_image(tmp_path: Path) -> None:
    model = own_model(tmp_path / "model")
    image = np.random.default_rng(0).random((1, 3, 50, 61))
    export_bioimageio(model, tmp_path / "model.zip", sample=image, onnx=False)
    with zipfile.ZipFile(tmp_path / "model.zip") as archive, archive.open("test_input.npy") as file:
        assert np.array_equal(np.load(file), image[None, :, 1, :48, :60].astype(np.float32))
    for wrong in (image[:, :, :10], image.repeat(2, axis=0), image[0]):
        with pytest.raises(ModelError, match="the sample"):
            export_bioimageio(model, tmp_path / "other.zip", sample=wrong)
    with pytest.raises(OutputExistsError):
        export_bioimageio(model, tmp_path / "model.zip")
    assert not (tmp_path / "other.zip").exists()


def test_what_cannot_be_described_is_refused(tmp_path: Path) -> None:
    model = own_model(tmp_path / "model")
    cellpose = model.card.model_copy(update={"network": {"architecture": "cellpose"}, "task": "cellpose"})
    with pytest.raises(ModelError, match="no network of napari-aitrain's own"):
        export_bioimageio(Model(model.folder, cellpose), tmp_path / "model.zip")
    scripted = model.card.model_copy(update={"script": ScriptCard(title="mine", sha256="0")})
    with pytest.raises(ModelError, match="is a script"):
        export_bioimageio(Model(model.folder, scripted), tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()


def test_what_has_no_place_in_the_zoo_is_told(tmp_path: Path) -> None:
    model = own_model(tmp_path / "model")
    (model.folder / "seen_test.json").write_text("{}")
    assert not export_bioimageio(model, tmp_path / "a.zip", onnx=False).notes
    (model.folder / "classifier.json").write_text("{}")
    assert "classifier.json" in export_bioimageio(model, tmp_path / "b.zip", onnx=False).notes[0]


def test_a_changed_export_is_refused(tmp_path: Path) -> None:
    export_bioimageio(own_model(tmp_path / "model"), tmp_path / "model.zip", onnx=False)
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    text = files["bioimageio.yaml"].decode()
    other = np.load(tmp_path / "x.npy") if (tmp_path / "x.npy").exists() else np.zeros((1, 3, 96, 96), np.float32)
    np.save(tmp_path / "x.npy", other)
    changes = {
        "newer version": {"bioimageio.yaml": text.replace("format_version: 1\n", "format_version: 9\n")},
        "checksum": {"weights.pt": files["weights.pt"][:-7]},
        "missing": {"test_output.npy": None},
        "other maps": {
            "test_output.npy": (tmp_path / "x.npy").read_bytes(),
            "bioimageio.yaml": "\n".join(line for line in text.splitlines() if "sha256" not in line),
        },
        "card": {"bioimageio.yaml": text.replace("dims: 2", "dims: 7")},
    }
    for number, (what, change) in enumerate(changes.items()):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (files | change).items():
                if content is not None:
                    archive.writestr(name, content)
        with pytest.raises(ModelError, match=what):
            import_bioimageio(path)
    assert not list((tmp_path / "home").rglob("v*")) and not list((tmp_path / "home").rglob("*.part"))
    assert load_model(tmp_path / "model")
