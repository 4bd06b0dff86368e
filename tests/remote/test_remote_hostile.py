"""Servers that are not there, are something else, are broken or mean harm: each is told apart, and bounded."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from documented_server import Handler, classes, documented
from remote_parts import blobs, config

from napari_aitrain.errors import ConfigError, RemoteError
from napari_aitrain.inference.remote import RemoteConfig, troubles
from napari_aitrain.inference.remote.client import Client
from napari_aitrain.inference.remote.pictures import NotAPictureError, decode_npy, decode_numbers, decode_picture
from napari_aitrain.inference.remote.testing import Checked, check_connection
from napari_aitrain.inference.run import predict
from napari_aitrain.models import Model

QUICK = {"connect": 2, "read": 1, "write": 2, "whole": 2, "busy": 0}
CLASSES: dict[str, Any] = {
    "form": "multipart",
    "answer": "classes",
    "outputs": [{"output": "1", "id": 1}],
    "waiting": QUICK,
}
KEY = {"Authorization": "Bearer do-not-tell-anyone"}


def check(url: str, headers: dict[str, str] | None = None, **settings: object) -> Checked:
    return check_connection(config(url, **{**CLASSES, **settings}), headers or {})


def asked(
    answering: Callable[[Handler, str, bytes], Any], headers: dict[str, str] | None = None, **settings: object
) -> Checked:
    def answer(handler: Handler, path: str, body: bytes) -> bool:
        answering(handler, path, body)
        return True

    with documented(answer) as server:
        return check(f"{server.url}/model", headers, **settings)


def tell(checked: Checked) -> str:
    assert checked.error is not None
    return json.dumps(checked.as_dict())


def test_works() -> None:
    with documented() as server:
        checked = check(f"{server.url}/segmentation", before=[{"step": "multiply", "by": 255}])
    assert checked.works
    assert "128 × 128" in checked.steps[-1].what


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert check(f"http://127.0.0.1:{port}").trouble == troubles.UNREACHABLE


def test_no_such_host() -> None:
    assert check("http://no-such-host.invalid").trouble == troubles.UNREACHABLE


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://0.0.0.0:80"])
def test_addresses_of_no_server_are_not_asked(address: str) -> None:
    assert check(address).trouble == troubles.ADDRESS


def test_silence_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        checked = check(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert checked.trouble == troubles.TIMED_OUT


def test_http_instead_of_https() -> None:
    with documented() as server:
        checked = check(server.url.replace("http:", "https:"))
    assert checked.trouble == troubles.TLS
    assert "http://" in checked.error.remedy


def test_a_certificate_of_nobody(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    with documented() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        checked = check(server.url.replace("http:", "https:"))
    assert checked.trouble == troubles.TLS
    assert "certificate" in checked.error.what


def test_a_key_that_is_wanted_or_refused() -> None:
    def answer(handler: Handler, path: str, body: bytes) -> None:
        handler.answer(401, b"who knocks?", "text/plain")

    assert "wants a key" in asked(answer).error.what
    refused = asked(answer, KEY)
    assert (refused.trouble, "refuses the key" in refused.error.what) == (troubles.KEY, True)


def test_a_key_is_not_told_even_if_the_server_does() -> None:
    def answer(handler: Handler, path: str, body: bytes) -> None:
        said = f"bad token {handler.headers['Authorization']}".encode()
        handler.answer(500 if path != "/model" else 403, said, "text/plain")

    checked = asked(answer, KEY)
    assert "bad token" in tell(checked)
    assert "do-not-tell" not in tell(checked)


def test_a_key_is_not_sent_readable() -> None:
    checked = check("http://198.51.100.7/model", KEY)
    assert "unencrypted" in checked.error.what


def test_a_web_page() -> None:
    page = b"<!DOCTYPE html><html><body>Welcome</body></html>"
    for status in (200, 404):
        checked = asked(lambda handler, *_, status=status: handler.answer(status, page, "text/html"))
        assert checked.trouble == troubles.NOT_SUCH


def test_no_http() -> None:
    def answer(handler: Handler, *_: object) -> None:
        handler.wfile.write(b"220 mail.lab.org ESMTP\r\n")
        handler.close_connection = True

    assert asked(answer).trouble == troubles.NOT_SUCH


@pytest.mark.parametrize("status", [429, 503])
def test_busy(status: int) -> None:
    checked = asked(lambda handler, *_: handler.answer(status, b"later", "text/plain", {"Retry-After": "1"}))
    assert checked.trouble == troubles.BUSY


def test_server_error() -> None:
    checked = asked(lambda handler, *_: handler.answer(500, b"Internal Server Error", "text/plain"))
    assert checked.trouble == troubles.FAILED
    assert "Internal Server Error" in checked.error.what


def test_a_request_in_the_wrong_form() -> None:
    said = b'{"detail": [{"loc": ["body", "image"], "msg": "field required"}]}'
    checked = asked(lambda handler, *_: handler.answer(422, said, "application/json"))
    assert checked.trouble == troubles.REFUSED
    assert "field required" in checked.error.what


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_to_other_hosts_are_not_followed(status: int) -> None:
    with documented() as other:
        to = f"http://localhost:{other.server_port}/segmentation"
        checked = asked(lambda handler, *_: handler.answer(status, b"", "text/plain", {"Location": to}), KEY)
        assert not other.asked
    assert checked.trouble == troubles.REDIRECT
    assert to in checked.error.what


def test_a_redirect_on_the_same_host_keeps_what_was_sent() -> None:
    def answer(handler: Handler, path: str, body: bytes) -> bool:
        if path == "/segmentation":
            return False
        handler.answer(307, b"", "text/plain", {"Location": "/segmentation"})
        return True

    with documented(answer) as server:
        assert check(f"{server.url}/old", before=[{"step": "multiply", "by": 255}]).works


def test_redirects_in_a_circle_end() -> None:
    checked = asked(lambda handler, path, _: handler.answer(307, b"", "text/plain", {"Location": path}))
    assert checked.trouble == troubles.REDIRECT


def test_a_huge_answer_is_not_read() -> None:
    def answer(handler: Handler, *_: object) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2**40))
        handler.end_headers()
        handler.wfile.write(b"\0" * 2**20)

    checked = asked(answer)
    assert checked.trouble == troubles.WRONG
    assert f"{2**40:,} bytes" in checked.error.what


def test_an_answer_that_never_ends_takes_bounded_memory() -> None:
    def answer(handler: Handler, *_: object) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(b"100000\r\n" + b"\0" * 2**20 + b"\r\n")

    tracemalloc.start()
    checked = asked(answer)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert checked.trouble == troubles.WRONG
    assert most < 3 * 2**23


def test_an_answer_that_drips_ends_in_time() -> None:
    def answer(handler: Handler, *_: object) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"1\r\n.\r\n")
            time.sleep(0.05)

    began = time.monotonic()
    assert asked(answer).trouble == troubles.TIMED_OUT
    assert time.monotonic() - began < 30


def test_an_answer_that_breaks_off() -> None:
    def answer(handler: Handler, *_: object) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    assert asked(answer).trouble == troubles.NOT_SUCH


def test_compressed_answers_are_refused() -> None:
    checked = asked(lambda handler, *_: handler.answer(200, b"x", "image/tiff", {"Content-Encoding": "gzip"}))
    assert checked.trouble == troubles.WRONG


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"", "image/tiff", "no TIFF"),
        (b"II*\0" + b"\xff" * 40, "image/tiff", "damaged TIFF"),
        (b'{"detail": "fine"}', "image/tiff", "instead of an image"),
        (b'{"mask": [[0, 1], [0]]}', "application/json", "different lengths"),
        (b'{"mask": [["a"]]}', "application/json", "something else than numbers"),
        (b"[" * 100_000, "application/json", "[["),
        (b'{"mask": [[NaN, 1]]}', "application/json", "2 × 1 pixels"),
        (b"\x80\x04\x95\0\0\0\0\0\0\0\0cposix\nsystem\n", "image/tiff", "no TIFF"),
    ],
)  # fmt: skip
def test_answers_that_are_something_else(body: bytes, kind: str, said: str) -> None:
    checked = asked(lambda handler, *_: handler.answer(200, body, kind))
    assert checked.trouble == troubles.WRONG
    assert said in checked.error.what
    assert "128 × 128" in checked.error.expected


def test_a_mask_that_says_it_is_a_page_is_one_anyway() -> None:
    import io

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.ones((128, 128), np.uint8))
    assert asked(lambda handler, *_: handler.answer(200, buffer.getvalue(), "text/html")).works


def test_decimals_want_a_step() -> None:
    mask = json.dumps({"mask": np.full((128, 128), 0.7).tolist()}).encode()
    checked = asked(lambda handler, *_: handler.answer(200, mask, "application/json"))
    assert "decimals" in checked.error.what
    assert asked(lambda handler, *_: handler.answer(200, mask, "application/json"), after=[{"step": "threshold"}]).works


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"boxes": [[1, 2, 3]], "labels": [1]}, "four numbers"),
        ({"boxes": [[1, 2, 3, 4]], "labels": []}, "1 boxes, 0 labels"),
        ({"boxes": [[1, 2, float("inf"), 4]], "labels": [1]}, "not finite"),
        ({"boxes": "many"}, "no list of boxes"),
        ([1, 2], "neither"),
    ],
)
def test_boxes_that_are_none(said: object, wrong: str) -> None:
    body = json.dumps(said).encode()
    checked = asked(lambda handler, *_: handler.answer(200, body, "application/json"), answer="boxes")
    assert checked.trouble == troubles.WRONG
    assert wrong in checked.error.what


@pytest.mark.parametrize(
    ("said", "wrong"), [("[1]", "scores for 0"), ("[2.5, -1]", "softmax"), ('["a", 1]', "“"), ("{}", "“")]
)
def test_scores_that_are_none(said: str, wrong: str) -> None:
    checked = asked(lambda handler, *_: handler.answer(200, said.encode(), "application/json"), answer="scores")
    assert checked.trouble == troubles.WRONG
    assert wrong in f"{checked.error.what} {checked.error.remedy}"


def test_nothing_mapped_is_told() -> None:
    with documented() as server:
        checked = check(
            f"{server.url}/segmentation", outputs=[{"output": "1"}], before=[{"step": "multiply", "by": 255}]
        )
    assert "no output is mapped" in checked.error.what


def test_a_size_that_changes_between_tiles_ends_the_prediction(
    remote: Callable[..., Model], picture: Path, tmp_path: Path
) -> None:
    def answer(handler: Handler, path: str, body: bytes) -> bool:
        image = handler.picture(body)
        with handler.server.lock:
            handler.server.seen.append(image)
            count = len(handler.server.seen)
        handler.mask(classes(image)[: 10 if count > 2 else None], True)
        return True

    settings = {**CLASSES, "before": [{"step": "type"}], "tile": 64, "overlap": 16}
    with documented(answer) as server:
        remote("far", f"{server.url}/segmentation", **settings)
        with pytest.raises(RemoteError, match=r"mask of [0-9]+ × 10 pixels"):
            predict("far", picture, tmp_path / "out.tif")
        server.answering = None
        found = predict("far", picture, tmp_path / "out.tif", resume=True)[0]
    assert np.array_equal(tifffile.imread(found.out) > 0, classes(blobs()) == 1)


def test_a_busy_server_is_asked_again() -> None:
    counts: list[float] = []

    def answer(handler: Handler, path: str, body: bytes) -> bool:
        counts.append(time.monotonic())
        if len(counts) > 2:
            return False
        handler.answer(503, b"", "text/plain", {"Retry-After": "0"})
        return True

    patient = {**CLASSES, "waiting": {**QUICK, "busy": 20}}
    with documented(answer) as server:
        client = Client(config(f"{server.url}/classification", **patient), {})
        assert json.loads(client.post([tiff_form()], FORM, 2**20).body)
        client.close()
    assert len(counts) == 3


def test_requests_are_not_repeated_where_that_may_do_harm() -> None:
    counts: list[str] = []

    def answer(handler: Handler, path: str, body: bytes) -> bool:
        counts.append(path)
        handler.close_connection = True
        return True

    patient = {**CLASSES, "waiting": {**QUICK, "busy": 20}}
    with documented(answer) as server:
        client = Client(config(f"{server.url}/count", **patient), {})
        with pytest.raises(RemoteError) as caught:
            client.post([b"image"], "application/json", 2**20)
        client.close()
    assert (caught.value.trouble, counts) == (troubles.NOT_SUCH, ["/count"])


def test_waiting_ends_when_it_is_not_wanted_any_more() -> None:
    def answer(handler: Handler, path: str, body: bytes) -> bool:
        handler.answer(503, b"", "text/plain", {"Retry-After": "60"})
        return True

    with documented(answer) as server:
        client = Client(config(server.url, **{**CLASSES, "waiting": {**QUICK, "busy": 600}}), {})
        timer = threading.Timer(0.3, client.close)
        timer.start()
        with pytest.raises(RemoteError) as caught:
            client.post([b"image"], "application/json", 2**20)
        timer.join()
    assert caught.value.trouble == troubles.STOPPED


@pytest.mark.parametrize(
    "data",
    [b"\x93NUMPY\x01\x00\x76\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60 + b"\n",
     b"\x93NUMPY\x01\x00\x10\x00garbage", b"\x93NUMPY", b""],
)  # fmt: skip
def test_arrays_of_objects_and_damaged_ones_are_not_read(data: bytes) -> None:
    with pytest.raises(NotAPictureError):
        decode_npy(data)


def test_pictures_larger_than_allowed_are_not_decoded(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (3000, 3000)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3000, 3000), np.uint8), compression="zlib")
    for name in ("a.png", "a.tif"):
        with pytest.raises(NotAPictureError, match="larg"):
            decode_picture((tmp_path / name).read_bytes(), 10**6)
    with pytest.raises(NotAPictureError):
        decode_numbers("https://example.org/image.tif", 10**6)


def test_settings_that_do_not_go_together() -> None:
    for wrong, said in (
        ({"form": "json"}, "only a server of this program"),
        ({**CLASSES, "tile": 64, "overlap": 40}, "less than half"),
        ({**CLASSES, "outputs": [{"output": "1"}, {"output": "1"}]}, "mapped twice"),
        ({**CLASSES, "key": "x"}, "key"),
    ):
        with pytest.raises(ConfigError, match=said):
            config("http://127.0.0.1", **wrong)
    assert isinstance(config("http://127.0.0.1", **CLASSES), RemoteConfig)


FORM = "multipart/form-data; boundary=b"


def tiff_form() -> bytes:
    import io

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, blobs())
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    return head + buffer.getvalue() + b"\r\n--b--\r\n"


def _self_signed(folder: Path) -> Path:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return folder / "both.pem"
