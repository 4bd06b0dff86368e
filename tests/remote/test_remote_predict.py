"""A model on a server of this program gives what it gives here; by name, in jobs, and on the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import numpy as np
import pytest
import tifffile
import torch
from keyring.backends.fail import Keyring as NoKeyring
from remote_parts import blobs, serving

from napari_aitrain.cli.main import run
from napari_aitrain.errors import ModelError, RemoteError
from napari_aitrain.inference import predict_volume
from napari_aitrain.inference.blocks import PredictionCancelledError
from napari_aitrain.inference.estimating import estimate
from napari_aitrain.inference.remote import refresh_remote
from napari_aitrain.inference.remote.secrets import variable_of
from napari_aitrain.inference.run import predict
from napari_aitrain.inference.store import StoredPrediction
from napari_aitrain.jobs import JobFolder
from napari_aitrain.jobs.predict_config import PredictConfig
from napari_aitrain.jobs.predicting import run_prediction
from napari_aitrain.models import Model, ModelCard, find_model, save_model
from napari_aitrain.nets import NetworkConfig, build_network
from napari_aitrain.serving.engine import Engine
from napari_aitrain.tasks import make_task
from napari_aitrain.volumes import Volume

Serve = Callable[..., str]
Remote = Callable[..., Model]
STARTER = "nuclei-2d"


def volume_model(folder: Path, seed: int = 0) -> Model:
    """Save a tiny model of volumes with random weights."""
    task = make_task("instances")
    network = NetworkConfig(
        dims=3, in_channels=1, heads=task.heads + task.auxiliary_heads(3), stem=(1, 2, 2), widths=(8, 8),
        pools=((2, 2, 2),), kernels=((3, 3, 3),) * 2,
    )  # fmt: skip
    torch.manual_seed(seed)
    card = ModelCard(task="instances", dims=3, network=network.model_dump(mode="json"), channels=("0",), name="tiny")
    return save_model(folder, card, build_network(network).state_dict())


@pytest.mark.parametrize("diameter", [None, 12.0])
def test_the_same_numbers_as_here(
    serve: Serve, remote: Remote, picture: Path, tmp_path: Path, diameter: float | None
) -> None:
    remote("far", serve())
    here = predict(STARTER, picture, tmp_path / "here.tif", device="cpu", diameter=diameter)[0]
    there = predict("far", picture, tmp_path / "there.tif", diameter=diameter)[0]
    assert np.array_equal(tifffile.imread(here.out), tifffile.imread(there.out))
    ours, theirs = StoredPrediction.open(here.store), StoredPrediction.open(there.store)
    assert np.array_equal(ours.maps(), theirs.maps())
    assert np.array_equal(ours.scores, theirs.scores)
    assert ours.info.halo == theirs.info.halo
    assert here.objects == there.objects > 0


def test_volumes_block_by_block(remote: Remote, tmp_path: Path) -> None:
    model = volume_model(tmp_path / "tiny")
    image = Volume.from_array(np.random.default_rng(0).normal(size=(20, 60, 56)).astype(np.float32), axes="zyx")
    with serving(Engine(model, "cpu", "float32")) as url:
        far = remote("far", url)
        said = dict(block_shape=(8, 32, 32), precision="float32", device="cpu")
        here = predict_volume(model, image, tmp_path / "here", **said)
        there = predict_volume(far, image, tmp_path / "there", **said)
        found = estimate(far, image)
    assert np.array_equal(here.maps(), there.maps())
    assert np.array_equal(here.labels(), there.labels())
    assert found.seconds > 0


def test_another_model_behind_the_address_is_noticed(remote: Remote, tmp_path: Path) -> None:
    image = Volume.from_array(np.zeros((8, 16, 16), np.float32), axes="zyx")
    engines = [Engine(volume_model(tmp_path / str(seed), seed), "cpu") for seed in range(2)]
    with serving(engines[0]) as url:
        far = remote("far", url)
    port = int(url.rpartition(":")[2])
    import threading

    from napari_aitrain.serving.running import listen
    from napari_aitrain.serving.settings import ServeSettings

    listening = listen(engines[1], ServeSettings(), "127.0.0.1", port)
    thread = threading.Thread(target=listening.run, daemon=True)
    thread.start()
    try:
        with pytest.raises(RemoteError, match="another model"):
            predict_volume(far, image, tmp_path / "store")
        refreshed = refresh_remote(far.folder)
        assert refreshed.card.weights_sha256 == engines[1].fingerprint
        predict_volume(refreshed, image, tmp_path / "store")
    finally:
        listening.server.should_exit = True
        thread.join(20)


def test_what_is_done_is_kept_when_it_is_stopped(serve: Serve, remote: Remote, tmp_path: Path) -> None:
    far, calls = remote("far", serve()), []

    def cancelled() -> bool:
        calls.append(1)
        return len(calls) > 3

    image = Volume.from_array(np.tile(blobs(), (2, 2)), axes="yx")
    with pytest.raises(PredictionCancelledError):
        predict_volume(far, image, tmp_path / "store", block_shape=(1, 128, 128), cancelled=cancelled)
    stored = predict_volume(far, image, tmp_path / "store", block_shape=(1, 128, 128), resume=True)
    assert stored.info.finished


def test_a_job_with_a_remote_model(serve: Serve, remote: Remote, picture: Path, tmp_path: Path) -> None:
    remote("far", f"{serve()}/objects", form="multipart", answer="objects", before=[{"step": "type"}])
    config = PredictConfig(model=Path("far"), image=picture, out=tmp_path / "out.tif")
    job = JobFolder.create_prediction(config, tmp_path / "job")
    events: list[tuple[str, dict[str, Any]]] = []
    run_prediction(job, job.settings(), lambda kind, **data: events.append((kind, data)), list)
    assert [kind for kind, _ in events][-1] == "done"
    assert {data["array"] for kind, data in events if kind == "block"} == {"pieces.zarr", "labels.zarr"}
    assert max(data["fraction"] for kind, data in events if kind == "progress") == 1.0
    assert tifffile.imread(tmp_path / "out.tif").max() > 0


def test_a_remote_model_is_no_start_of_a_training(serve: Serve, remote: Remote) -> None:
    from napari_aitrain.training.config import TrainConfig
    from napari_aitrain.training.start import _choose

    remote("far", serve())
    config = TrainConfig.model_validate(
        {"start_from": "far", "sources": [{"image": "a.tif", "labels": "b.tif"}], "task": "instances"}
    )
    with pytest.raises(ModelError, match="on a server"):
        _choose(config, 2, 1, None)


class Cli:
    """The program in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        self.capsys.readouterr()
        assert run([str(a) for a in (*arguments, "--json")]) == code
        said = self.capsys.readouterr()
        self.err = said.err
        found: dict[str, Any] = json.loads(said.out)
        return found


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


def test_on_the_command_line(serve: Serve, cli: Cli, picture: Path, tmp_path: Path) -> None:
    url = serve()
    assert cli("remote", "list")["remote"] == []
    added = cli("remote", "add", "far", url)
    assert (added["name"], added["task"]) == ("far/v1", "instances")
    masks = cli("remote", "add", "masks", f"{url}/segmentation", "--form", "multipart", "--class", "1=4:nucleus",
                "--class", "2=")  # fmt: skip
    assert masks["answer"] == "classes"
    assert [row["name"] for row in cli("remote", "list")["remote"]] == ["far/v1", "masks/v1"]
    assert cli("remote", "test", "far")["works"]
    shown = cli("remote", "show", "masks")
    assert shown["outputs"][0] == {"output": "1", "id": 4, "name": "nucleus"}
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps({**shown, "tile": 256, "before": [{"step": "type", "dtype": "uint8"}]}))
    cli("remote", "edit", "masks", "--settings", file)
    found = cli("predict", "masks", picture, "--out", tmp_path / "out.tif")
    assert found["images"][0]["objects"] is None
    assert set(np.unique(tifffile.imread(tmp_path / "out.tif"))) == {0, 4}
    assert cli("models", "list")["models"]


def test_wrong_things_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    gone = cli("remote", "add", "far", "http://127.0.0.1:9", code=2)
    assert (gone["error"], "cannot be reached" in gone["what"]) == ("RemoteError", True)
    assert "does not begin with" in cli("remote", "add", "far", "127.0.0.1", code=2)["what"]
    assert "maps no class" in cli("remote", "add", "far", "http://h", "--form", "json", "--class", "1", code=2)["what"]
    assert "no remote model" in cli("remote", "test", STARTER, code=2)["what"]
    assert "port" in cli("serve", STARTER, "--host", "192.0.2.1", "--open", "--device", "cpu", code=2)["what"]


def test_serving_from_a_terminal(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a-key-of-the-lab-0123"
    program = [sys.executable, "-m", "napari_aitrain", "serve", STARTER, "--port", "0", "--device", "cpu", "--json"]
    environment = {**os.environ, "AITRAIN_SERVE_KEY": key, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as served:
        assert served.stdout is not None and served.stderr is not None
        said = json.loads("".join(iter(served.stdout.readline, "}\n")) + "}")
        assert said["key"] is None
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
        assert "wants a key" in cli("remote", "add", "far", said["url"], code=2)["what"]
        cli("remote", "add", "far", said["url"], "--header", "Authorization")
        assert cli("remote", "test", "far")["works"]
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        assert (
            "no key was entered" in cli("remote", "add", "empty", said["url"], "--header", "X-Api-Key", code=2)["what"]
        )
        keyring.set_keyring(NoKeyring())
        monkeypatch.setenv(variable_of(said["url"]), key)
        cli("remote", "add", "cluster", said["url"])
        assert cli("remote", "test", "cluster")["works"]
        served.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        assert served.wait(60) is not None
        assert key not in served.stderr.read()
    assert not any(key.encode() in path.read_bytes() for path in find_model("far").folder.iterdir())
