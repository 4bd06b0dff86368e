"""Volumes on servers that answer, and on servers that do not as they should."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from misbehaving_server import PAGE, Handler, Server, serving

from napari_aitrain.errors import VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.location import Url
from napari_aitrain.training.config_file import parse_config, read_config
from napari_aitrain.volumes import Volume, open_volume, pair_files
from napari_aitrain.volumes.counting import read_counts

IMAGE = np.random.default_rng(0).integers(0, 999, (8, 32, 32)).astype("u2")
ONE = Region((0, 0, 0), (2, 2, 2))
SPACE = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AITRAIN_REMOTE_TIMEOUT", "0.4")
    with serving(tmp_path) as running:
        yield running


def write(folder: Path, name: str = "a.zarr", **how: Any) -> None:
    zarr.create_array(folder / name, data=IMAGE, **({"chunks": (4, 16, 16)} | how))


def whole(volume: Volume) -> Any:
    return volume.read(volume.region)


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("how", [{}, {"zarr_format": 2}, {"shards": (8, 32, 32)}], ids=["v3", "v2", "shards"])
def test_zarr_over_http(server: Server, how: dict[str, Any], ranges: bool) -> None:
    write(server.folder, "größe 1.zarr", **how)
    server.ranges = ranges
    volume = open_volume(f"{server.url}/größe 1.zarr")
    assert volume.name == "größe 1.zarr" and isinstance(volume.path, Url)
    np.testing.assert_array_equal(whole(volume)[0], IMAGE)
    assert volume.fingerprint == open_volume(volume.path).fingerprint and volume.changed() == ""


def test_ome_zarr_over_http_reads_only_what_is_needed(server: Server) -> None:
    group = zarr.create_group(server.folder / "a.ome.zarr")
    datasets = []
    for name, step in (("0", 1), ("1", 2)):
        group.create_array(name, data=np.ascontiguousarray(IMAGE[:, ::step, ::step]), chunks=(4, 16, 16))
        scale = [0.05, 0.004 * step, 0.004 * step]
        datasets.append({"path": name, "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": SPACE, "datasets": datasets}]}
    volume = open_volume(f"{server.url}/a.ome.zarr")
    assert volume.magnifications == ((1, 1, 1), (1, 2, 2)) and volume.voxel_size == pytest.approx((50, 4, 4))
    before, asked = read_counts(), server.asked.total()
    np.testing.assert_array_equal(volume.at((1, 2, 2)).read(Region((0, 0, 0), (4, 16, 16)))[0], IMAGE[:4, ::2, ::2])
    spent = read_counts() - before
    assert server.asked.total() - asked == spent.requests == 1
    assert spent.decoded == spent.asked == 4 * 16 * 16 * 2 and spent.stored <= spent.decoded + 100
    level = open_volume(f"{server.url}/a.ome.zarr/1")
    assert level.voxel_size == pytest.approx((50, 8, 8))


def refuse(handler: Handler) -> None:
    handler.answer(403, b"no")


def show_page(handler: Handler) -> None:
    handler.answer(200, PAGE)


def be_busy(handler: Handler) -> None:
    handler.answer(503, b"later")


def break_off(handler: Handler) -> None:
    handler.break_off(b"abc")


def keep_silent(handler: Handler) -> None:
    handler.server.end.wait(2)
    handler.close_connection = True


def at_chunks(server: Server, answer: Callable[[Handler], None], times: int = 99) -> None:
    def trouble(handler: Handler, path: str, asked: int) -> bool:
        wrong = "/c/" in path and asked <= times
        if wrong:
            answer(handler)
        return wrong

    server.trouble = trouble


@pytest.mark.parametrize("answer", [be_busy, break_off, keep_silent])
def test_a_server_that_fails_is_asked_again(server: Server, answer: Callable[[Handler], None]) -> None:
    write(server.folder)
    at_chunks(server, answer, times=1)
    np.testing.assert_array_equal(open_volume(f"{server.url}/a.zarr").read(ONE)[0], IMAGE[ONE.slices])
    assert server.asked["a.zarr/c/0/0/0"] == 2


@pytest.mark.parametrize(
    ("answer", "times", "words"),
    [
        (refuse, 1, "may not be read .status 403"),
        (show_page, 1, "web page instead of data"),
        (be_busy, 2, "after 2 attempts: status 503"),
        (break_off, 2, "after 2 attempts"),
        (keep_silent, 2, "after 2 attempts: no answer in time"),
    ],
)
def test_a_server_that_goes_on_failing_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, answer: Callable[[Handler], None], times: int, words: str
) -> None:
    """It is an error also where damaged chunks are to be filled: the chunk may be well."""
    monkeypatch.setenv("AITRAIN_REMOTE_ATTEMPTS", "2")
    write(server.folder)
    at_chunks(server, answer)
    volume = open_volume(f"{server.url}/a.zarr", on_damage="fill")
    with pytest.raises(VolumeError, match=words) as caught:
        volume.read(ONE)
    assert "/a.zarr/c/0/0/0" in caught.value.what and caught.value.remedy
    assert server.asked["a.zarr/c/0/0/0"] == times and volume.filled == ()
    server.trouble = None
    np.testing.assert_array_equal(volume.read(ONE)[0], IMAGE[ONE.slices])


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "nothing that can be opened at"), (refuse, "may not be read"), (show_page, "a web page instead of data")],
)
@pytest.mark.parametrize("name", ["a.zarr", "a.tif", "a.h5", "a.n5"])
def test_what_is_not_there_and_what_may_not_be_read(
    server: Server, answer: Callable[[Handler], None] | None, words: str, name: str
) -> None:
    if answer is not None:
        server.trouble = lambda handler, path, asked: answer(handler) is None
    with pytest.raises(VolumeError, match=words):
        open_volume(f"{server.url}/{name}")


def test_a_server_that_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_REMOTE_TIMEOUT", "0.4")
    with serving(tmp_path) as server:
        url = server.url
    for name in ("a.zarr", "a.tif"):
        with pytest.raises(VolumeError, match="cannot be read after 4 attempts"):
            open_volume(f"{url}/{name}")


def test_missing_chunks_have_the_fill_value_and_damaged_ones_are_filled(server: Server) -> None:
    write(server.folder, fill_value=7)
    folder = server.folder / "a.zarr" / "c" / "0"
    (folder / "0" / "0").unlink()
    (folder / "0" / "1").write_bytes(b"\x00" * 50)
    expected = IMAGE.copy()
    expected[:4, :16, :16] = 7
    expected[:4, :16, 16:] = 0
    volume = open_volume(f"{server.url}/a.zarr", on_damage="fill")
    np.testing.assert_array_equal(whole(volume)[0], expected)
    (filled,) = volume.filled
    assert filled.file == f"{server.url}/a.zarr/c/0/0/1" and filled.start == (0, 0, 16)
    with pytest.raises(VolumeError, match=r"chunk \(0, 0, 1\) in http.*/a\.zarr/c/0/0/1 is damaged"):
        whole(open_volume(f"{server.url}/a.zarr"))


@pytest.mark.parametrize("how", [{}, {"compression": "zlib", "rowsperstrip": 8}])
def test_tiff_over_http_is_read_in_parts(server: Server, how: dict[str, Any]) -> None:
    large = np.random.default_rng(1).integers(0, 255, (12, 256, 256)).astype("u1")
    tifffile.imwrite(server.folder / "a.tif", large, metadata={"axes": "ZYX"}, photometric="minisblack", **how)
    volume, before = open_volume(f"{server.url}/a.tif"), read_counts()
    region = Region((5, 30, 20), (6, 60, 200))
    np.testing.assert_array_equal(volume.read(region)[0], large[region.slices])
    assert (read_counts() - before).stored < large.nbytes // 2
    np.testing.assert_array_equal(whole(volume)[0], large)
    server.ranges = False
    with pytest.raises(VolumeError, match="gives out no parts"):
        open_volume(f"{server.url}/a.tif?again")


def test_hdf5_over_http(server: Server) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(server.folder / "a.h5", "w") as file:
        file.create_dataset("volumes/raw", data=IMAGE, chunks=(4, 16, 16), compression="gzip")
    np.testing.assert_array_equal(whole(open_volume(f"{server.url}/a.h5:/volumes/raw"))[0], IMAGE)


def test_n5_over_http(server: Server) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    how = {"dimensions": [32, 32, 8], "blockSize": [16, 16, 4], "dataType": "uint16", "compression": {"type": "gzip"}}
    place = {"driver": "file", "path": f"{server.folder}/a.n5/raw/"}
    spec = {"driver": "n5", "kvstore": place, "metadata": how}
    tensorstore.open(spec, create=True).result().write(IMAGE.T).result()
    np.testing.assert_array_equal(whole(open_volume(f"{server.url}/a.n5/raw"))[0], IMAGE)
    for answer in (refuse, be_busy):
        server.trouble = lambda handler, path, asked, answer=answer: (
            path.endswith("0/0/0") and answer(handler) is None  # type: ignore[misc]
        )
        with pytest.raises(VolumeError, match=r"a\.n5/raw (may not|cannot) be read"):
            open_volume(f"{server.url}/a.n5/raw", on_damage="fill").read(ONE)


def test_s3_with_own_settings_of_fsspec(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    import fsspec

    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server.url, "anon": True})
    write(server.folder, "bucket/a.zarr")
    np.testing.assert_array_equal(whole(open_volume("s3://bucket/a.zarr"))[0], IMAGE)


def test_memory_and_addresses_that_cannot_be_opened(tmp_path: Path) -> None:
    zarr.create_array("memory://test/a.zarr", data=IMAGE, chunks=(4, 16, 16), overwrite=True)
    np.testing.assert_array_equal(whole(open_volume("memory://test/a.zarr"))[0], IMAGE)
    write(tmp_path)
    np.testing.assert_array_equal(whole(open_volume((tmp_path / "a.zarr").as_uri()))[0], IMAGE)
    for address, words in (
        ("nothing://a/b.zarr", "cannot be opened"),
        ("https://a/b.zarr?key=1", "has a query"),
        ("https://a/b.png", "cannot be read in parts"),
    ):
        with pytest.raises(VolumeError, match=words):
            open_volume(address)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for address in ("https://a/b.zarr", "s3://a/b.zarr", "s3://a/b.tif"):
        with pytest.raises(VolumeError, match="which is not installed") as caught:
            open_volume(address)
        assert "napari-aitrain[remote]" in caught.value.remedy


def test_nothing_is_imported_for_local_volumes(tmp_path: Path) -> None:
    write(tmp_path)
    code = (
        "import sys; from napari_aitrain.volumes import open_volume\n"
        f"v = open_volume({str(tmp_path / 'a.zarr')!r}); v.read(v.region)\n"
        "print({'aiohttp', 's3fs', 'h5py', 'tensorstore', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_addresses_go_through_configs_unspoilt(tmp_path: Path) -> None:
    row = {"image": "https://host/a//b.zarr", "labels": "labels.tif"}
    config = parse_config({"sources": [row], "minutes": 1})
    assert config.sources[0].image == Url("https://host/a//b.zarr")
    from napari_aitrain.training.config_file import config_to_yaml

    (tmp_path / "job.yaml").write_text(config_to_yaml(config))
    (source,) = read_config(tmp_path / "job.yaml").sources
    assert source.image == config.sources[0].image and source.labels == tmp_path.resolve() / "labels.tif"
    pair = pair_files(source.image, source.labels)[0]
    assert pair.image == source.image and pair.name == "b"


def test_the_command_line_takes_addresses(server: Server) -> None:
    from typer.testing import CliRunner

    from napari_aitrain.cli.main import app

    zarr.create_array(server.folder / "l.zarr", data=(IMAGE > 500).astype("u1"), chunks=(4, 16, 16))
    done = CliRunner().invoke(app, ["evaluate", f"{server.url}/l.zarr", f"{server.url}/l.zarr", "--json"])
    assert done.exit_code == 0, done.output
    assert server.asked["l.zarr/c/0/0/0"] > 0
