"""The server: keys, bounds, busy, and requests that are none."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import tifffile
from remote_parts import blobs, config

from napari_aitrain.errors import ConfigError, ModelError, RemoteError
from napari_aitrain.inference.remote import troubles
from napari_aitrain.inference.remote.client import Client
from napari_aitrain.inference.remote.described import describe
from napari_aitrain.inference.remote.pictures import decode_npy, encode_npy
from napari_aitrain.inference.remote.testing import check_connection
from napari_aitrain.models import Model
from napari_aitrain.serving.engine import Engine
from napari_aitrain.serving.gate import BusyError, Gate
from napari_aitrain.serving.running import check_key
from napari_aitrain.serving.settings import ServeSettings

Serve = Callable[..., str]
KEY = "a-key-of-the-lab-0123"


def tiff(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image)
    return buffer.getvalue()


def array(shape: tuple[int, ...] = (1, 1, 64, 64)) -> bytes:
    return b"".join(map(bytes, encode_npy(np.zeros(shape, np.float32))))


def test_health_says_little_and_needs_no_key(serve: Serve) -> None:
    said = httpx.get(f"{serve(ServeSettings(key=KEY, waiting=3))}/health").json()
    assert said == {"status": "ok", "inside": 0, "most": 4, "served": 0, "refused": 0}


def test_the_model_is_described_without_its_data(serve: Serve, engine: Engine) -> None:
    said = httpx.get(f"{serve()}/model").json()
    assert said["card"]["task"] == "instances"
    assert not any(said["card"]["data"].values())
    assert said["fingerprint"] == engine.fingerprint


def test_a_key_is_wanted_everywhere(serve: Serve) -> None:
    url = serve(ServeSettings(key=KEY))
    for path in ("/model", "/segmentation", "/objects", "/detection", "/maps", "/network"):
        ask = httpx.get if path == "/model" else httpx.post
        assert ask(url + path).status_code == 401
        assert ask(url + path, headers={"X-Api-Key": "another"}).status_code == 401
        assert ask(url + path, headers={"X-Api-Key": KEY}).status_code != 401
    assert httpx.get(f"{url}/model", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
    assert check_connection(config(url), {"Authorization": "Bearer wrong-one"}).trouble == troubles.KEY
    assert check_connection(config(url), {}).trouble == troubles.KEY
    assert check_connection(config(url), {"Authorization": f"Bearer {KEY}"}).works


def test_web_pages_may_not_use_a_server_without_a_key(serve: Serve) -> None:
    url = serve()
    for headers in ({"Origin": "https://evil.org"}, {"Host": "evil.org"}):
        assert httpx.post(f"{url}/segmentation", headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/segmentation", "/"])
def test_as_scaneo_asks(serve: Serve, path: str) -> None:
    answer = httpx.post(serve() + path, files={"image": tiff(blobs())}, timeout=60)
    mask = tifffile.imread(io.BytesIO(answer.content))
    assert (answer.status_code, mask.shape, mask.dtype) == (200, (200, 180), np.uint8)
    assert set(np.unique(mask)) == {0, 1}
    assert (mask == (blobs() > 100)).mean() > 0.95


def test_as_scaneo_documents_it(serve: Serve) -> None:
    answer = httpx.post(f"{serve()}/segmentation", json={"image": blobs().tolist()}, timeout=60).json()
    assert np.array_equal(np.asarray(answer["mask"]) > 0, np.asarray(answer["mask"]) == 1)
    assert np.asarray(answer["mask"]).shape == (200, 180)


def test_boxes_lie_around_objects(serve: Serve) -> None:
    url = serve()
    boxes = httpx.post(f"{url}/detection", files={"image": tiff(blobs())}, timeout=60).json()
    labels = tifffile.imread(
        io.BytesIO(httpx.post(f"{url}/objects", files={"image": tiff(blobs())}, timeout=60).content)
    )
    assert len(boxes["boxes"]) == len(boxes["labels"]) == len(boxes["scores"]) == len(np.unique(labels)) - 1
    for left, top, right, bottom in boxes["boxes"]:
        part = labels[top:bottom, left:right]
        assert part[:, 0].any() and part[0].any() and part[:, -1].any() and part[-1].any()


@pytest.mark.parametrize(
    ("send", "status"),
    [
        ({"files": {"picture": b"II*\0"}}, 400),
        ({"files": {"image": b"not a picture"}}, 400),
        ({"files": {"image": b"II*\0" + b"\xff" * 100}}, 400),
        ({"json": {"picture": []}}, 400),
        ({"json": {"image": "https://example.org/a.tif"}}, 400),
        ({"json": {"image": [[1, 2], [3]]}}, 400),
        ({"json": {"image": np.zeros((9, 9, 9)).tolist()}}, 422),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"[" * 50_000, "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"content": b"", "headers": {"Content-Type": "image/tiff"}}, 400),
    ],
)  # fmt: skip
def test_requests_that_are_none_get_words(serve: Serve, send: dict[str, object], status: int) -> None:
    answer = httpx.post(f"{serve()}/segmentation", timeout=60, **send)
    assert answer.status_code == status
    assert answer.json()["what"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/maps?halo=0,8,8", array(), 200),
        ("/maps", array(), 400),
        ("/maps?halo=0,-1,0", array(), 400),
        ("/maps?halo=0,99999,0", array(), 400),
        ("/maps?halo=0,8,8&voxel=0,1,1", array(), 400),
        ("/maps?halo=0,8,8", array((2, 1, 64, 64)), 422),
        ("/maps?halo=0,8,8", array()[:-1], 400),
        ("/network", array(), 200),
        ("/network", array((1, 1, 63, 64)), 422),
        ("/network", b"\x80\x04pickle", 400),
    ],
)
def test_arrays_that_do_not_fit_get_words(serve: Serve, path: str, body: bytes, status: int) -> None:
    answer = httpx.post(serve() + path, content=body, timeout=60)
    assert answer.status_code == status, answer.text[:200]


def test_the_network_answers_as_it_does_here(serve: Serve, engine: Engine) -> None:
    batch = np.random.default_rng(0).normal(size=(2, 1, 64, 96)).astype(np.float32)
    body = b"".join(map(bytes, encode_npy(batch)))
    answer = httpx.post(f"{serve()}/network", content=body, timeout=60)
    assert np.array_equal(decode_npy(answer.content), engine.output(batch, None))


def test_bodies_are_bounded(serve: Serve) -> None:
    url = serve(ServeSettings(most_bytes=10_000))
    for content in (b"x" * 20_000, iter([b"x" * 5000] * 4)):
        answer = httpx.post(f"{url}/segmentation", content=content, headers={"Content-Type": "image/tiff"}, timeout=60)
        assert answer.status_code == 413
    large = check_connection(
        config(f"{url}/segmentation", form="multipart", answer="classes", outputs=[{"output": "1", "id": 1}]), {}
    )
    assert (large.trouble, large.error.remedy) == (troubles.REFUSED, "choose smaller tiles")


def test_pictures_are_bounded(serve: Serve) -> None:
    url = serve(ServeSettings(most_voxels=10_000))
    answer = httpx.post(f"{url}/segmentation", files={"image": tiff(np.zeros((200, 200), np.uint8))})
    assert (answer.status_code, "10,000 pixels" in answer.json()["expected"]) == (400, True)


def test_slow_bodies_are_given_up(serve: Serve) -> None:
    parts = urlsplit(serve(ServeSettings(silence=0.3)))
    with socket.create_connection((parts.hostname, parts.port), 10) as slow:
        head = f"POST /segmentation HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 1000\r\n\r\n"
        slow.sendall(head.encode() + b"x")
        assert b"408" in slow.recv(100)


def test_the_excess_is_told_busy_and_comes_later(serve: Serve) -> None:
    url = serve(ServeSettings(waiting=1))
    body, statuses, lock = tiff(blobs()), [], threading.Lock()

    def ask() -> None:
        answer = httpx.post(f"{url}/segmentation", files={"image": body}, timeout=120)
        with lock:
            statuses.append((answer.status_code, answer.headers.get("Retry-After")))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 8
    assert {status for status, _ in statuses} == {200, 503}
    assert all(int(wait) >= 1 for status, wait in statuses if status == 503)
    said = httpx.get(f"{url}/health").json()
    assert (said["inside"], said["served"] + said["refused"]) == (0, 8)


def test_who_hangs_up_is_not_computed_for(serve: Serve) -> None:
    url = serve()
    parts = urlsplit(url)
    body = tiff(np.tile(blobs(), (3, 3)))
    head = f"POST /segmentation HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: image/tiff\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    for _ in range(6):
        with socket.create_connection((parts.hostname, parts.port), 10) as one:
            one.sendall(head.encode() + body)
    until = time.monotonic() + 60
    while (said := httpx.get(f"{url}/health").json())["inside"] and time.monotonic() < until:
        time.sleep(0.05)
    assert (said["inside"], said["served"] < 6) == (0, True)


def test_clients_wait_for_their_turn(serve: Serve, engine: Engine) -> None:
    url = serve(ServeSettings(waiting=0))
    done, lock = [], threading.Lock()

    def ask() -> None:
        client = Client(config(url), {})
        answer = client.post(encode_npy(np.zeros((1, 1, 128, 128), np.float32)), "application/x-npy", 2**20,
                             "/maps", {"halo": "0,0,0"})  # fmt: skip
        client.close()
        with lock:
            done.append(decode_npy(answer.body).shape)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [(3, 1, 128, 128)] * 4


def test_other_servers_are_not_taken_for_ours(serve: Serve) -> None:
    client = Client(config(f"{serve()}/nowhere"), {})
    with pytest.raises(RemoteError) as caught:
        describe(client)
    assert caught.value.trouble == troubles.NOT_SUCH
    assert "napari-aitrain serve" in caught.value.expected


def test_keys_of_servers() -> None:
    assert check_key(None, "127.0.0.1", False, False) is None
    assert check_key(None, "0.0.0.0", True, False) is None
    assert len(check_key(None, "0.0.0.0", False, False) or "") > 20
    assert check_key(KEY, "0.0.0.0", False, False) == KEY
    with pytest.raises(ConfigError) as caught:
        check_key("short", "0.0.0.0", False, False)
    assert "short" not in str(caught.value)


def test_a_remote_model_is_not_served_again(remote: Callable[..., Model], serve: Serve) -> None:
    model = remote("far", serve())
    with pytest.raises(ModelError, match="runs on a server itself"):
        Engine(model, "cpu")


def test_there_is_room_again_after_an_error() -> None:
    import asyncio

    async def use() -> int:
        gate = Gate(0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with gate.admitted():
                    await gate.compute(lambda: 1 // 0, lambda: asyncio.ensure_future(asyncio.sleep(60)))
        gate.close()
        return gate.inside

    assert asyncio.run(use()) == 0


def test_who_waits_for_too_long_is_told_busy() -> None:
    import asyncio

    begun, over = threading.Event(), threading.Event()

    def long() -> str:
        begun.set()
        over.wait(30)
        return "computed"

    async def use() -> str:
        gate = Gate(3, 0.05)
        never = lambda: asyncio.ensure_future(asyncio.sleep(60))  # noqa: E731
        async with gate.admitted(), gate.admitted():
            first = asyncio.ensure_future(gate.compute(long, never))
            await asyncio.to_thread(begun.wait, 30)
            with pytest.raises(BusyError):
                await gate.compute(lambda: None, never)
            over.set()
            found = await first
        gate.close()
        return found

    assert asyncio.run(use()) == "computed"


def test_answers_are_json_without_surprises(serve: Serve) -> None:
    answer = httpx.post(f"{serve()}/segmentation", json={"image": "!!"})
    assert json.loads(answer.text)["what"] == "a text that is not base64 of an image"
