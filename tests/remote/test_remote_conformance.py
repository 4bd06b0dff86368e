"""What every server in the documented forms must do, run against two: `napari-aitrain serve`, and one by others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tifffile
from documented_server import classes, documented
from remote_parts import blobs
from scipy import ndimage

from napari_aitrain.annotation.boxes import read_boxes
from napari_aitrain.cli.main import run
from napari_aitrain.evaluation import evaluate_files
from napari_aitrain.inference.object_boxes import object_boxes
from napari_aitrain.inference.remote import read_remote
from napari_aitrain.inference.remote.testing import check_connection
from napari_aitrain.inference.run import predict
from napari_aitrain.inference.store import StoredPrediction
from napari_aitrain.models import Model

RAW = [{"step": "type", "dtype": "uint8"}]
Remote = Callable[..., Model]
NAMED = [{"output": "1", "id": 5, "name": "dim"}, {"output": "2", "id": 7, "name": "bright"}]
OURS = [{"output": "1", "id": 5, "name": "nucleus"}]


@pytest.fixture(params=["documented", "ours"])
def server(request: pytest.FixtureRequest, serve: Callable[..., str]) -> Iterator[str]:
    with ExitStack() as stack:
        yield stack.enter_context(documented()).url if request.param == "documented" else serve()


@pytest.mark.parametrize("form", ["multipart", "json"])
@pytest.mark.parametrize("answer", ["classes", "objects", "boxes"])
def test_forms_and_answers(server: str, form: str, answer: str, remote: Remote, picture: Path, tmp_path: Path) -> None:
    path = {"classes": "segmentation", "objects": "objects", "boxes": "detection"}[answer]
    outputs = [] if answer == "objects" else NAMED
    model = remote(
        "far", f"{server}/{path}", form=form, answer=answer, outputs=outputs, before=RAW, tile=128, overlap=48
    )
    checked = check_connection(read_remote(model.folder))
    assert checked.works, checked.as_dict()
    found = predict("far", picture, tmp_path / "out.tif")[0]
    labels, truth = tifffile.imread(found.out), blobs() > 100
    if answer == "classes":
        assert found.objects is None
        assert set(np.unique(labels)) <= {0, 5, 7}
    else:
        count = ndimage.label(truth)[1]
        assert abs(found.objects - count) <= (0 if "127" in server and answer == "objects" else 1)
    inside = (labels > 0) & truth
    assert 2 * inside.sum() / ((labels > 0).sum() + truth.sum()) > (0.8 if answer == "boxes" else 0.9)


@pytest.mark.parametrize(
    ("form", "encoding"), [("multipart", "tiff"), ("json", "tiff"), ("json", "png"), ("json", "list")]
)
def test_classes_are_those_of_the_server(
    form: str, encoding: str, remote: Remote, picture: Path, tmp_path: Path
) -> None:
    with documented() as server:
        remote("far", f"{server.url}/segmentation", form=form, encoding=encoding, answer="classes", outputs=NAMED,
               before=RAW, tile=96, overlap=32)  # fmt: skip
        found = predict("far", picture, tmp_path / "out.tif")[0]
    wanted = np.array([0, 5, 7])[classes(blobs())]
    assert np.array_equal(tifffile.imread(found.out), wanted)


def test_blank_outputs_are_left_out(remote: Remote, picture: Path, tmp_path: Path) -> None:
    with documented() as server:
        outputs = [{"output": "1"}, {"output": "2", "id": 7}]
        remote("far", f"{server.url}/segmentation", form="multipart", answer="classes", outputs=outputs, before=RAW)
        found = predict("far", picture, tmp_path / "out.tif")[0]
    assert np.array_equal(tifffile.imread(found.out), np.where(blobs() > 200, 7, 0))


def test_objects_are_whole_where_tiles_meet(remote: Remote, picture: Path, tmp_path: Path) -> None:
    with documented() as server:
        remote("far", f"{server.url}/objects", form="multipart", answer="objects", before=RAW, tile=64, overlap=30)
        found = predict("far", picture, tmp_path / "out.tif")[0]
        assert len(server.seen) > 10
        assert max(max(image.shape) for image in server.seen) <= 64
    truth = tmp_path / "truth.tif"
    tifffile.imwrite(truth, ndimage.label(blobs() > 100)[0].astype(np.uint16))
    figures = evaluate_files(found.out, truth, task="instances").metrics
    assert figures["ap50"] == 1.0


def test_boxes_have_classes_and_scores(remote: Remote, picture: Path, tmp_path: Path) -> None:
    with documented() as server:
        remote("far", f"{server.url}/detection", form="json", answer="boxes", outputs=NAMED, before=RAW, tile=None,
               overlap=0)  # fmt: skip
        found = predict("far", picture, tmp_path / "out.tif")[0]
    table = StoredPrediction.open(found.store).objects
    image, labels = blobs(), tifffile.imread(found.out)
    kinds = [int(image[labels == n].max() > 200) for n in range(1, len(table) + 1)]
    assert list(table.class_id[1:]) == [7 if kind else 5 for kind in kinds]
    assert ((table.score[1:] > 0.25) & (table.score[1:] < 0.75)).all()
    assert found.objects == ndimage.label(image > 100)[1]


def test_scores_of_the_whole_image(remote: Remote, picture: Path, tmp_path: Path) -> None:
    with documented() as server:
        outputs = [{"output": "0", "id": 1, "name": "empty"}, {"output": "1", "id": 2, "name": "full"}]
        remote("far", f"{server.url}/classification", form="multipart", answer="scores", outputs=outputs, before=RAW,
               tile=None)  # fmt: skip
        found = predict("far", picture, tmp_path / "out.tif")[0]
        assert len(server.seen) == 1
    assert np.unique(tifffile.imread(found.out)).tolist() == [1]
    maps = StoredPrediction.open(found.store).maps()
    assert maps[2].mean() == pytest.approx((blobs() > 100).mean(), abs=0.004)


def test_a_stack_is_asked_slice_by_slice(remote: Remote, tmp_path: Path) -> None:
    stack = np.stack([blobs(seed=n, count=5) for n in range(3)])
    tifffile.imwrite(tmp_path / "stack.tif", stack, metadata={"axes": "ZYX"})
    with documented() as server:
        remote("far", f"{server.url}/segmentation", form="multipart", answer="classes", outputs=NAMED, before=RAW)
        found = predict("far", tmp_path / "stack.tif", tmp_path / "out.tif")[0]
    assert np.array_equal(tifffile.imread(found.out), np.array([0, 5, 7])[classes(stack)])


def test_the_key_is_sent_and_only_there(remote: Remote, picture: Path, tmp_path: Path) -> None:
    with documented(key="sesame-open-now") as server:
        remote("far", f"{server.url}/segmentation", {"X-Api-Key": "sesame-open-now"}, form="multipart",
               answer="classes", outputs=NAMED, before=RAW)  # fmt: skip
        predict("far", picture, tmp_path / "out.tif")
        assert {headers.get("X-Api-Key") for _, headers in server.asked} == {"sesame-open-now"}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "remote.json" for path in written)
    assert not any(b"sesame-open-now" in path.read_bytes() for path in written)


def test_fixed_tiles_have_just_that_size(remote: Remote, picture: Path, tmp_path: Path) -> None:
    with documented() as server:
        remote("far", f"{server.url}/segmentation", form="multipart", answer="classes", outputs=NAMED, before=RAW,
               tile=256, overlap=32, fixed=True)  # fmt: skip
        found = predict("far", picture, tmp_path / "out.tif")[0]
        assert {image.shape for image in server.seen} == {(256, 256)}
    assert np.array_equal(tifffile.imread(found.out), np.array([0, 5, 7])[classes(blobs())])


def test_found_boxes_become_boxes(remote: Remote, picture: Path, tmp_path: Path) -> None:
    with documented() as server:
        remote("far", f"{server.url}/detection", form="json", answer="boxes", outputs=NAMED, before=RAW, tile=None,
               overlap=0)  # fmt: skip
        found = predict("far", picture, tmp_path / "out.tif")[0]
    assert run(["export", str(found.store), "--out", str(tmp_path / "boxes.json")]) == 0
    boxes = read_boxes(tmp_path / "boxes.json")
    labels = ndimage.label(blobs() > 100)[0]
    truth = {(0, y.start, x.start, 1, y.stop, x.stop) for y, x in ndimage.find_objects(labels)}
    assert {(*box.start, *box.stop) for box in boxes} == truth
    assert {(box.status, box.tags) for box in boxes} == {("in progress", ("predicted",))}
    assert len(object_boxes(StoredPrediction.open(found.store), 0.74)) < len(boxes)
