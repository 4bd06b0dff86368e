"""Images that were never a file come back from the copy that a training needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.annotate.restore import restore


@pytest.fixture
def shown() -> bool:
    return False


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr("napari_aitrain.gui.annotate.restore.warn", messages.append)
    return messages


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 255, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (noise(6, 40, 50), {"scale": (2, 0.5, 0.5), "translate": (4, 1, 0), "units": ("um",) * 3}),
        (noise(40, 50), {}),
        (noise(1, 40, 50), {}),
        (noise(40, 50, 3), {"rgb": True}),
        (noise(2, 6, 40, 50), {"axis_labels": ("c", "z", "y", "x")}),
    ],
    ids=["volume", "flat", "one slice", "colours", "channels"],
)
def test_an_image_in_memory_is_shown_again(viewer: Any, session: Any, told: Any, pixels: Any, options: Any) -> None:
    viewer.add_image(noise(40, 50), name="cells two")
    layer = viewer.add_image(pixels, name="cells", **options)
    labels = session.truths.create(layer)
    labels.paint((0,) * (labels.ndim - 2) + (20, 20), 5)
    session.saver.sources(session.truths.current)
    painted, place = np.array(labels.data), (layer.scale.tolist(), layer.translate.tolist(), layer.axis_labels)
    viewer.layers.clear()
    restore(session, session.saver.project, lambda _project: None)
    again = viewer.layers["cells"]
    assert np.array_equal(np.asarray(again.data), pixels)
    assert again.rgb == layer.rgb
    assert (again.scale.tolist(), again.translate.tolist(), again.axis_labels) == place
    assert np.array_equal(viewer.layers[labels.name].data, painted)
    assert told == []
    # A training takes the same copy, and makes no other.
    before = set(session.saver.project.images.iterdir())
    session.saver.sources(session.truths.current)
    assert set(session.saver.project.images.iterdir()) == before


def test_an_image_that_nothing_keeps_is_asked_for_and_one_that_is_open_stays(viewer: Any, session: Any, told: Any):
    layer = viewer.add_image(noise(40, 50), name="cells")
    session.truths.create(layer)
    session.boxes.add(WorldBox(start=(-0.5, 0, 0), stop=(0.5, 30, 30), image="cells"))
    session.saver.flush()
    viewer.layers.remove(layer)
    restore(session, session.saver.project, lambda _project: None)
    assert "cells" not in viewer.layers
    assert len(told) == 1 and "cells" in told[0]
    viewer.layers.append(layer)
    session.saver.sources(session.truths.current)
    restore(session, session.saver.project, lambda _project: None)
    assert viewer.layers["cells"] is layer
    assert [one.name for one in viewer.layers].count("cells") == 1
