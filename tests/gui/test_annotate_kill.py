"""Napari is killed, and strokes and boxes are there again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np

from napari_aitrain.gui.annotate.dock import AnnotateDock

_PAINTS = """
import sys
import napari, tifffile
from qtpy.QtCore import QTimer
from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.session import session_of

viewer = napari.Viewer(show=True)
viewer.open(sys.argv[1], plugin="napari")
image = viewer.layers[0]
image.scale = (2.0, 0.5, 0.5)
session = session_of(viewer)
labels = session.truths.create(image)
session.boxes.add(WorldBox(start=(-1, 0, 0), stop=(9, 20, 20), image=image.name, name="one", tags=("a",)))
labels.paint((3, 20, 30), 7)
labels.paint((4, 20, 30), 8)
labels.undo()
session.saver.saved.connect(lambda: session.saver.pending or print(session.saver.project.folder, flush=True))
napari.run()
"""


def test_strokes_and_boxes_survive_a_kill(tmp_path, home, viewer, session, wait_for):
    import tifffile

    image = tmp_path / "cells.tif"
    tifffile.imwrite(image, np.random.default_rng(0).integers(0, 255, (8, 64, 64)).astype(np.uint8))
    script = tmp_path / "paints.py"
    script.write_text(_PAINTS)
    painting = subprocess.Popen(
        [sys.executable, script, image], stdout=subprocess.PIPE, text=True, env=os.environ | {"NAPARI_CONFIG": ""}
    )
    folder = painting.stdout.readline().strip()
    painting.send_signal(signal.SIGKILL)
    painting.wait()
    painting.stdout.close()
    assert folder.startswith(str(home))
    dock = AnnotateDock(viewer)
    assert dock.project.offer is not None
    dock.project.offer.reopen.click()
    (truth,) = session.truths.all()
    labels = session.truths.layer(truth)
    assert sorted(np.unique(labels.data[3])) == [0, 7]
    assert not labels.data[4].any()
    assert tuple(labels.scale) == tuple(viewer.layers["cells"].scale) == (2.0, 0.5, 0.5)
    assert [(box.name, box.tags, box.image) for box in session.boxes] == [("one", ("a",), "cells")]
    assert session.truths.next_id(truth) == 8
    assert str(session.saver.project.folder) == folder
    (source,) = session.saver.sources(truth)
    assert source.image == image
    dock.close()
