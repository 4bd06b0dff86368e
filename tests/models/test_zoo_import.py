"""Models of others in the zoo's format: they run here, give what they give elsewhere, and run nobody's program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from zoo_models import Theirs, prepared, save_weights, their_package

from napari_aitrain.errors import ModelError
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import find_model
from napari_aitrain.models.zoo import Wanted, import_bioimageio
from napari_aitrain.nets.zoo import ZooNetwork, check_torchscript
from napari_aitrain.nets.zoo_config import ZooConfig
from napari_aitrain.volumes import open_volume

core = pytest.importorskip("bioimageio.core", reason="the extra bioimageio is not installed")


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def changed(package: Path, change: Any) -> Path:
    """Write the description anew."""
    path = package / "rdf.yaml"
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return package


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_it_predicts_here_what_it_predicts_there(kind: str, tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs", kinds=(kind,), halo=0)
    model = import_bioimageio(package)
    assert (model.card.task, model.card.channels, model.card.threshold) == ("instances", ("dapi",), 0)
    assert "Ada" in model.card.comments and "MIT" in model.card.comments and "same here" in model.card.comments
    image = np.random.default_rng(5).normal(90, 15, (48, 64)).astype(np.float32)
    sample = core.predict(model=package / "rdf.yaml", inputs={"raw": image[None, None]})
    there = np.asarray(sample.members["probability"].data.data)[0]
    np.save(tmp_path / "image.npy", image)
    stored = predict_volume(
        find_model("Their nuclei model"), open_volume(tmp_path / "image.npy"), tmp_path / "out", device="cpu"
    )
    here = stored.maps(stored.region)
    assert np.abs(here[0, 0] - there[0]).max() <= 0.5 / 255 + 1e-4
    assert np.abs(here[2, 0] - there[1]).max() <= 0.5 / 255 + 1e-4


def test_volumes_and_other_steps(tmp_path: Path) -> None:
    steps = [
        {"id": "scale_linear", "kwargs": {"gain": 0.5, "offset": -3.0}},
        {"id": "scale_range", "kwargs": {"min_percentile": 1.0, "max_percentile": 99.0}},
        {"id": "clip", "kwargs": {"min": 0.0, "max": 0.8}},
        {"id": "scale_linear", "kwargs": {"gain": 2.0, "offset": -1.0}},
    ]
    package = their_package(
        tmp_path / "theirs", dims=3, outputs=("background", "a", "b"), preprocessing=steps,
        postprocessing=[{"id": "softmax", "kwargs": {"axis": "channel"}}],
    )  # fmt: skip
    model = import_bioimageio(package, "volumes")
    assert (model.card.task, model.card.class_names) == ("semantic", {0: "background", 1: "a", 2: "b"})
    network = model.network()
    assert isinstance(network, ZooNetwork)
    image = np.random.default_rng(1).normal(50, 9, (1, 16, 16, 24)).astype(np.float32)
    normalisation = network.config.normalisation(image.reshape(1, -1))
    assert np.allclose(normalisation.apply(image), prepared(image, steps), atol=1e-5)
    maps = network(torch.from_numpy(normalisation.apply(image))[None]).softmax(1)
    torch.manual_seed(1)
    theirs = Theirs(3, 3).eval()
    assert torch.allclose(maps, theirs(torch.from_numpy(prepared(image, steps))[None]).softmax(1), atol=1e-4)


def test_a_network_of_one_size_is_run_in_overlapping_windows(tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs", size=32)
    network = import_bioimageio(package).network()
    image = torch.rand(1, 70, 45)
    torch.manual_seed(1)
    wanted = Theirs().eval()(image[None])[0].sigmoid()
    found = network.answer(image)
    assert found.shape == wanted.shape
    assert torch.allclose(found[:, 2:-2, 2:-2], wanted[:, 2:-2, 2:-2], atol=1e-5)
    assert torch.allclose(network.answer(image[:, :20, :20])[:, :15, :15], wanted[:, :15, :15], atol=1e-5)


def test_people_say_what_a_model_is_used_as(tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs", outputs=("one", "two"), postprocessing=[])
    assert import_bioimageio(package).card.task == "semantic"
    model = import_bioimageio(package, wanted=Wanted("instances", foreground=1, border=0))
    assert model.card.task == "instances" and model.card.network["maps"] == [1, 1, 0]
    assert model.card.network["shares"] is False, "its answers are before any logistic function"
    image = torch.rand(1, 1, 16, 16)
    torch.manual_seed(1)
    assert torch.allclose(model.network()(image)[:, [0, 2]], Theirs().eval()(image)[:, [1, 0]], atol=1e-5)
    with pytest.raises(ModelError, match="no channel 5"):
        import_bioimageio(package, wanted=Wanted(foreground=5))


def test_one_channel_is_objects_or_two_classes(tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs", outputs=("nuclei",), postprocessing=[])
    objects = import_bioimageio(package).network()
    classes = import_bioimageio(package, wanted=Wanted("semantic")).network()
    image = torch.rand(1, 1, 16, 16)
    inside = objects(image)[:, :1].sigmoid()
    assert torch.allclose(classes(image).softmax(1), torch.cat([1 - inside, inside], 1), atol=1e-5)
    for number, (output, task) in enumerate((("probability", "instances"), ("boundary", "semantic"))):
        named = their_package(tmp_path / str(number), outputs=(output,))
        assert import_bioimageio(named).card.task == task, "the model's name says nuclei"


def test_an_older_format_is_read_as_well(tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs")
    (package / "README.md").write_text("# Validation\n")
    old = {
        "format_version": "0.4.10",
        "type": "model",
        "name": "An old model",
        "description": "Nuclei.",
        "documentation": "README.md",
        "timestamp": "2022-01-01T00:00:00",
        "authors": [{"name": "Ada"}],
        "cite": [{"text": "a paper", "doi": "10.1038/s41592-020-01018-x"}],
        "license": "MIT",
        "inputs": [
            {"name": "raw", "axes": "bcyx", "data_type": "float32", "data_range": ["-inf", "inf"],
             "shape": {"min": [1, 1, 16, 16], "step": [0, 0, 8, 8]},
             "preprocessing": [{"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "cyx"}}]}
        ],
        "outputs": [
            {"name": "probability", "axes": "bcyx", "data_type": "float32", "data_range": ["-inf", "inf"],
             "shape": {"reference_tensor": "raw", "scale": [1, 0, 1, 1], "offset": [0, 1, 0, 0]}, "halo": [0, 0, 4, 4],
             "postprocessing": [{"name": "sigmoid"}]}
        ],
        "test_inputs": ["input.npy"],
        "test_outputs": ["output.npy"],
        "weights": {"onnx": {"source": "w.onnx", "opset_version": 18}},
    }  # fmt: skip
    (package / "rdf.yaml").write_text(yaml.safe_dump(old))
    model = import_bioimageio(package, wanted=Wanted("instances", 0, 1))
    assert model.card.name == "An old model" and model.card.network["halo"] == [4, 4]


def test_somebody_elses_program_is_never_run(tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs", kinds=("pytorch_state_dict",))
    with pytest.raises(ModelError, match="need a Python program") as told:
        import_bioimageio(package)
    assert "ONNX or TorchScript" in told.value.expected
    both = their_package(tmp_path / "both", kinds=("pytorch_state_dict", "torchscript"))
    assert import_bioimageio(both).card.network["file"] == "weights.torchscript"


def test_torchscript_that_reaches_for_files_is_not_opened(tmp_path: Path) -> None:
    class Reaching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("/etc/hostname", size=1)

    torch.jit.script(Reaching()).save(tmp_path / "bad.ts")
    with pytest.raises(ModelError, match="from_file"):
        check_torchscript(tmp_path / "bad.ts")
    package = their_package(tmp_path / "theirs", kinds=("torchscript",))
    (package / "w.ts").write_bytes((tmp_path / "bad.ts").read_bytes())
    with pytest.raises(ModelError, match="is not opened"):
        import_bioimageio(package)


def test_a_wrong_answer_to_its_test_is_refused(tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs")
    np.save(package / "output.npy", np.zeros((1, 2, 24, 32), np.float32))
    with pytest.raises(ModelError, match="other values here than its test says"):
        import_bioimageio(package)


BAD = {
    "on a server": lambda d: d["weights"]["onnx"].update(source="https://example.com/w.onnx"),
    "outside": lambda d: d["weights"]["onnx"].update(source="../secret.onnx"),
    "lies outside": lambda d: d["inputs"][0]["test_tensor"].update(source="/etc/passwd"),
    "missing": lambda d: d["weights"]["onnx"].update(source="nothing.onnx"),
    "checksum": lambda d: d["weights"]["onnx"].update(sha256="0" * 64),
    "it prepares images by sigmoid": lambda d: d["inputs"][0].update(preprocessing=[{"id": "sigmoid"}]),
    "clipped and then scaled": lambda d: d["inputs"][0].update(
        preprocessing=[{"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}}, {"id": "zero_mean_unit_variance"}]
    ),
    "size of the image": lambda d: d["outputs"][0]["axes"][2].update(
        size={"tensor_id": "raw", "axis_id": "y", "offset": -4}
    ),
    "cannot be read": lambda d: d.update(name=7),
    "does not describe a model": lambda d: d.update(type="dataset"),
    "gives 2 channels": lambda d: d["outputs"][0]["axes"][1].update(channel_names=["a", "b", "c"]),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_run_here_is_told(what: str, tmp_path: Path, user_folder: Path) -> None:
    package = changed(their_package(tmp_path / "theirs"), BAD[what])
    with pytest.raises(ModelError, match=what):
        import_bioimageio(package)
    assert not list(user_folder.rglob("v*")) and not list(user_folder.rglob("*.part"))


def test_damaged_files(tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs")
    (package / "w.onnx").write_bytes(b"\x00rubbish" * 20)
    with pytest.raises(ModelError, match=r"w\.onnx"):
        import_bioimageio(package)
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    (package / "rdf.yaml").write_text(bomb)
    with pytest.raises(ModelError, match="unfolds"):
        import_bioimageio(package)
    (package / "rdf.yaml").unlink()
    with pytest.raises(ModelError, match="holds no model"):
        import_bioimageio(package)


def test_onnx_that_names_another_file_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    package = their_package(tmp_path / "theirs")
    model = onnx.load(package / "w.onnx")
    onnx.save_model(model, package / "w.onnx", save_as_external_data=True, location="w.onnx.data", size_threshold=0)
    with pytest.raises(ModelError, match="names another file"):
        import_bioimageio(package)
    changed(package, lambda d: d["weights"]["onnx"].update(external_data={"source": "w.onnx.data"}))
    stored = import_bioimageio(package)
    assert not list(stored.folder.glob("*.data")), "all is in one file"


def test_a_model_of_the_zoo_cannot_be_trained_from(tmp_path: Path) -> None:
    model = import_bioimageio(their_package(tmp_path / "theirs"))
    with pytest.raises(ModelError, match="came from the zoo"):
        model.state_dict()


def test_configs_that_cannot_be() -> None:
    good = {"dims": 2, "in_channels": 1, "file": "weights.onnx", "inputs": "bcyx", "outputs": "bcyx",
            "sizes": ((8, 8), (8, 8)), "halo": (4, 4)}  # fmt: skip
    assert ZooConfig.model_validate(good).receptive_field == (0, 4, 4)
    for wrong in ({"inputs": "bczyx"}, {"sizes": ((8, 8),)}, {"halo": (-1, 0)}, {"file": "../w"}, {"inputs": "byyx"}):
        with pytest.raises(ValueError, match=r"."):
            ZooConfig.model_validate(good | wrong)


def test_weights_of_both_kinds_are_made(tmp_path: Path) -> None:
    save_weights(tmp_path, Theirs().eval(), torch.rand(1, 1, 8, 8), ("onnx", "torchscript", "pytorch_state_dict"))
    assert {path.name for path in tmp_path.iterdir()} == {"w.onnx", "w.ts", "w.pt"}
