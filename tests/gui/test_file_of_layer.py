"""A layer from a server never makes the window wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image
from napari.layers._source import layer_source

from napari_aitrain.gui.annotate.copies import StillCopying
from napari_aitrain.gui.annotate.file_of_layer import FilesOfLayers
from napari_aitrain.gui.frames import LayerFrame

ARRAY = np.random.default_rng(0).integers(0, 255, (12, 96, 96)).astype(np.uint8)


class Server(ThreadingHTTPServer):
    """Gives out the files of a folder once its gate is open."""

    gate: threading.Event
    daemon_threads = True


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.gate.wait(30)
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    pytest.importorskip("aiohttp")
    zarr.save_array(str(tmp_path / "raw.zarr"), ARRAY)
    made = Server(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    made.gate = threading.Event()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.gate.set()
    made.shutdown()
    made.server_close()
    thread.join()


def layer_from(server: Server, array: np.ndarray) -> Image:
    with layer_source(path=f"http://127.0.0.1:{server.server_port}/raw.zarr"):
        return Image(array, name="raw")


def test_a_server_is_asked_beside_the_main_thread_and_once(server: Server, qtbot: Any) -> None:
    answers: list[bool] = []
    files, image = FilesOfLayers(lambda: answers.append(True)), layer_from(server, ARRAY)
    frame = LayerFrame.of(image)
    for _ in range(2):
        with pytest.raises(StillCopying, match="raw"):
            files.get(image, frame, wait=False)
    assert not answers
    server.gate.set()
    qtbot.waitUntil(lambda: bool(answers), timeout=60_000)
    assert len(answers) == 1
    found = files.get(image, frame, wait=False)
    assert found is not None and found[0].shape == ARRAY.shape
    assert files.get(image, frame, wait=False) is found, "nobody is asked again"
    image.data = ARRAY + 1
    with pytest.raises(StillCopying):
        files.get(image, frame, wait=False)
    qtbot.waitUntil(lambda: len(answers) == 2, timeout=60_000)
    assert files.get(image, frame, wait=False) is None, "the layer shows something else now"
    files.close()


def test_without_a_server_there_is_no_file_and_it_is_asked_again_later(
    server: Server, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_aitrain.gui.annotate import file_of_layer

    answers: list[bool] = []
    files, image = FilesOfLayers(lambda: answers.append(True)), layer_from(server, ARRAY)
    (Path(server.RequestHandlerClass.keywords["directory"]) / "raw.zarr" / "zarr.json").unlink()  # type: ignore[attr-defined]
    server.gate.set()
    assert files.get(image, LayerFrame.of(image), wait=True) is None
    assert files.get(image, LayerFrame.of(image), wait=False) is None
    monkeypatch.setattr(file_of_layer, "_ASK_AGAIN", 0.0)
    with pytest.raises(StillCopying):
        files.get(image, LayerFrame.of(image), wait=False)
    qtbot.waitUntil(lambda: bool(answers), timeout=60_000)
    files.close()
