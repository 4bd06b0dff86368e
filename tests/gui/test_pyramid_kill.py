"""Napari is killed while a slide is painted; what was painted is there again, and can still be undone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_aitrain.annotation.sparse_journal import Journal
from napari_aitrain.geometry import Region
from napari_aitrain.gui.annotate.moving import move_window
from napari_aitrain.gui.annotate.truth import Window
from napari_aitrain.volumes import open_volume, read_labels

SIDE = 40_000
WINDOW = Region((0, 20_480, 20_480), (1, 21_504, 21_504))
_PAINTS = """
import sys
import napari
from napari_aitrain.geometry import Region
from napari_aitrain.gui.annotate.truth import Window
from napari_aitrain.gui.session import session_of

viewer = napari.Viewer(show=False)
viewer.open(sys.argv[1], plugin="napari")
image = viewer.layers[0]
session = session_of(viewer)
side = image.data[0].shape[0]
window = Window(Region((0, 20_480, 20_480), (1, 21_504, 21_504)), (1, side, side))
labels = session.truths.create(image, window=window)
for number, at in ((7, (100, 100)), (8, (500, 600)), (9, (104, 100))):
    labels.paint(at, number)
    session.saver.flush()
print(session.saver.project.folder, flush=True)
for number in range(10, 10_000):
    labels.paint((number % 1000, 800), number)
    session.saver.flush()
    print(number, flush=True)
"""


@pytest.fixture
def shown() -> bool:
    return False


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """A slide that takes no space: nothing of it was ever written."""
    path = tmp_path / "slide.zarr"
    group = zarr.create_group(path, zarr_format=3)
    levels = [
        group.create_array(
            str(n), shape=(SIDE // 4**n,) * 2, chunks=(1024, 1024), dtype="u1", dimension_names=["y", "x"]
        )
        for n in range(3)
    ]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"],
                "datasets": [
                    {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [0.5 * 4**n] * 2}]}
                    for n in range(len(levels))
                ],
            }
        ],
    }
    return path


def test_strokes_survive_a_kill_and_can_be_undone(slide, home, viewer, session):
    painting = subprocess.Popen(
        [sys.executable, "-c", _PAINTS, slide],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"NAPARI_CONFIG": ""},
    )
    folder = Path(painting.stdout.readline().strip())
    for _ in range(3):
        painting.stdout.readline()
    painting.send_signal(signal.SIGKILL)
    said = painting.stdout.read().split()
    painting.wait()
    painting.stdout.close()
    saved = max(map(int, said), default=12)
    session.saver.open(folder)
    (truth,) = session.truths.all()
    labels = session.truths.layer(truth)
    assert truth.window.region == WINDOW and labels.data.shape == (1024, 1024)
    assert np.allclose(labels.translate, np.array(viewer.layers[truth.image].scale) * 20_480)
    last = int(labels.data.max())
    assert last in (saved, saved + 1), "all that was saved, and at most what was in the journal"
    assert session.truths.next_id(truth) > last
    store = session.saver.writer(truth).store(session.saver.project, ())
    assert np.array_equal(read_labels(open_volume(store.path, kind="labels"), WINDOW)[0], labels.data)
    # One step of undo per save, down to the first.
    for _ in range(last - 9):
        labels.undo()
    assert sorted(np.unique(labels.data)) == [0, 7, 8, 9]
    labels.undo()
    assert labels.data[104, 100] == 7
    session.saver.flush()
    assert np.array_equal(read_labels(open_volume(store.path, kind="labels"), WINDOW)[0], labels.data)
    (source,) = session.saver.sources(truth)
    assert source.labels == store.path
    assert all(box.sparse and WINDOW.contains(box.region) for box in source.boxes)


def test_what_only_the_journal_holds_is_done_when_the_project_is_opened(slide, viewer, session, monkeypatch):
    viewer.open(str(slide), plugin="napari")
    image = viewer.layers[0]
    labels = session.truths.create(image, window=Window(WINDOW, (1, SIDE, SIDE)))
    truth = session.truths.current
    labels.paint((100, 100), 7)

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("napari_aitrain.annotation.sparse.SparseTruth._apply", killed)
        with pytest.raises(SystemExit):
            session.saver.flush()
    store = session.saver.project.labels_path(truth.key)
    assert len(list(Journal(store.with_name(f"{truth.key}.painted") / "journal").entries())) == 1
    again = session.saver.project.sparse(truth.key, (), (1, SIDE, SIDE))
    assert again.recovered == 1
    assert again.counts((1, 1, 1)) == {7: int((labels.data == 7).sum())}
    session.saver.flush()
    moved = move_window(session, truth, (1, 4, 4), Window(Region((0, 5120, 5120), (1, 5632, 5632)), (1, SIDE, SIDE)))
    assert not labels.data.any() and moved.magnification == (1, 4, 4)
    move_window(session, moved, (1, 1, 1), truth.window)
    assert labels.data[100, 100] == 7
