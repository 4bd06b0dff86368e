"""Addresses and keys: what is taken, where keys are kept, and that they are nowhere else."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backends.fail import Keyring as NoKeyring
from memory_keyring import MemoryKeyring
from remote_parts import config

from napari_aitrain.errors import AitrainError, ConfigError, ModelError, RemoteError
from napari_aitrain.inference.remote import change_remote, forget_headers, read_remote, save_headers
from napari_aitrain.inference.remote.address import check_address, origin, shown
from napari_aitrain.inference.remote.secrets import read_headers, refuse_readable, variable_of
from napari_aitrain.inference.remote.troubles import KEY, excerpt
from napari_aitrain.models import Model, find_model

URL = "https://gpu.lab.org:8000/model"
HEADERS = {"X-Api-Key": "open-sesame-please"}
MASKS = {"form": "multipart", "answer": "classes", "outputs": [{"output": "1", "id": 1}]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpu.lab.org", "does not begin with"),
        ("ftp://gpu.lab.org", "does not begin with"),
        ("file:///etc/passwd", "does not begin with"),
        ("https://", "no host"),
        ("https://gpu.lab.org:99999", "port"),
        ("https://me:secret@gpu.lab.org", "password"),
        ("https://gpu.lab.org/?api_key=abc", "may be a key"),
        ("https://gpu.lab.org/?token=abc", "may be a key"),
        ("https://gpu.lab.org/a b", "blanks"),
        ("https://gpu.lab.org\r\nX: y", "blanks"),
    ],
)
def test_addresses_that_are_not_taken(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        check_address(text)
    assert "abc" not in str(caught.value).replace(text, "")
    with pytest.raises(ConfigError):
        config(text, **MASKS)


def test_addresses_that_are_taken() -> None:
    assert check_address("http://localhost:8000/a/?version=2") == "http://localhost:8000/a?version=2"
    assert check_address("http://[::1]:80/") == "http://[::1]:80"
    assert shown("https://h/a?version=2") == "https://h/a"


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        found = check_address(f"https://{text}")
    except ConfigError:
        return
    assert check_address(found) == found
    assert origin(found)[0] == "https"


@pytest.mark.parametrize("name", ["Host", "Content-Length", "a b", "a:b", "", "Cookie", "X\r\nY"])
def test_headers_that_change_the_request_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="name of a header"):
        save_headers(URL, {name: "x"})


@pytest.mark.parametrize("value", ["", "a\r\nX: y", "ü", " ", "a" * 9000])
def test_values_that_no_header_has_are_refused(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        save_headers(URL, {"X-Api-Key": value})
    assert not value.strip() or value not in str(caught.value)


def test_keys_belong_to_their_address(keys: MemoryKeyring) -> None:
    save_headers(URL, HEADERS)
    assert read_headers(URL, ("X-Api-Key",)) == HEADERS
    for other in ("https://evil.org:8000/model", "https://gpu.lab.org/model", "http://gpu.lab.org:8000/model"):
        with pytest.raises(RemoteError) as caught:
            read_headers(other, ("X-Api-Key",))
        assert caught.value.trouble == KEY
    forget_headers(URL)
    forget_headers(URL)
    assert not keys.kept


def test_without_a_keyring_the_environment_has_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_keyring(NoKeyring())
    with pytest.raises(ConfigError, match="AITRAIN_KEY_GPU_LAB_ORG_8000"):
        read_headers(URL, ("Authorization",))
    with pytest.raises(ConfigError) as caught:
        save_headers(URL, HEADERS)
    assert HEADERS["X-Api-Key"] not in str(caught.value)
    monkeypatch.setenv(variable_of(URL), "open-sesame-please")
    assert read_headers(URL, ("Authorization",)) == {"Authorization": "Bearer open-sesame-please"}
    assert read_headers(URL, ("X-Api-Key",)) == HEADERS


def test_keys_do_not_travel_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_readable(URL, HEADERS)
    refuse_readable("http://127.0.0.1:1/model", HEADERS)
    refuse_readable("http://gpu.lab.org/model", {})
    with pytest.raises(RemoteError, match="unencrypted"):
        refuse_readable("http://gpu.lab.org/model", HEADERS)
    monkeypatch.setenv("AITRAIN_KEYS_IN_THE_CLEAR", "1")
    refuse_readable("http://gpu.lab.org/model", HEADERS)


def test_a_model_that_was_sent_here_gets_no_key(remote: Callable[..., Model], keys: MemoryKeyring) -> None:
    model = remote("mine", URL, HEADERS, **MASKS)
    path = model.folder / "remote.json"
    path.write_text(path.read_text().replace("gpu.lab.org", "evil.org"))
    config_ = read_remote(model.folder)
    with pytest.raises(RemoteError) as caught:
        read_headers(config_.url, config_.headers)
    assert HEADERS["X-Api-Key"] not in str(caught.value)


def test_changing_the_address_forgets_the_old_key(remote: Callable[..., Model], keys: MemoryKeyring) -> None:
    model = remote("mine", URL, HEADERS, **MASKS)
    other = change_remote(model.folder, config("https://new.lab.org", **MASKS), {"X-Api-Key": "another-one-now"})
    assert [address for _, address in keys.kept] == ["https://new.lab.org"]
    assert (other.card.version, read_remote(other.folder).headers) == (1, ("X-Api-Key",))
    assert find_model("mine").remote


def test_settings_of_a_newer_version_or_damaged(remote: Callable[..., Model]) -> None:
    model = remote("mine", URL, **MASKS)
    path = model.folder / "remote.json"
    before = path.read_text()
    for text, said in (
        (before.replace('"format_version": 1', '"format_version": 2'), "newer version"),
        (before[:50], "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        (before.replace("https://gpu", "file://gpu"), "url"),
    ):
        path.write_text(text)
        with pytest.raises(ModelError, match=said):
            read_remote(model.folder)


def test_a_remote_model_has_no_weights_here(remote: Callable[..., Model]) -> None:
    with pytest.raises(ModelError, match="on a server"):
        remote("mine", URL, **MASKS).network()


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(RemoteError("what", "expected", "remedy", KEY)))
    assert isinstance(error, AitrainError)
    assert (error.as_dict()["remedy"], error.trouble) == ("remedy", KEY)


def test_what_servers_say_is_short_plain_text() -> None:
    said = excerpt(b"\x1b[31mred\x00\n<b>bold</b> " + b"x" * 1000)
    assert said.startswith("[31mred <b>bold</b>")
    assert len(said) == 160


def test_importing_needs_neither_torch_nor_a_web_client(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, napari_aitrain.inference.remote, napari_aitrain.inference.remote.testing, "
        "napari_aitrain.serving; print({'torch', 'httpx', 'keyring', 'starlette', 'uvicorn'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == "set()", ran.stderr
