"""Magnifications of new ground truth: what is offered, and what a person types."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtTest import QTest

from napari_aitrain.errors import ConfigError
from napari_aitrain.geometry import format_magnification
from napari_aitrain.gui.annotate.dock import AnnotateDock
from napari_aitrain.gui.annotate.magnifications import offered, typed


def texts(shape, scale=None, levels=()):
    data = np.zeros(shape, np.uint8)
    layer = Image([data, *(np.zeros(level, np.uint8) for level in levels)] if levels else data, scale=scale)
    return [format_magnification(m) for m in offered(layer)]


@pytest.mark.parametrize(
    ("shape", "scale", "levels", "expected"),
    [
        ((60, 256, 256), (4, 1, 1), (), ["1", "2-2-1", "2", "4-4-1", "4", "8-8-2"]),
        ((60, 256, 256), None, (), ["1", "2-2-1", "2", "4-4-1", "4", "8"]),
        ((2, 2000, 2000), (10, 1, 1), (), ["1", "2-2-1", "4-4-1", "8-8-1"]),
        ((300, 400), None, (), ["1", "2", "4", "8"]),
        ((20, 20), None, (), ["1"]),
        ((60, 99, 99), None, [(60, 33, 33)], ["1", "2-2-1", "2", "3-3-1"]),
    ],
)
def test_what_is_offered_suits_voxels_extents_and_levels(shape, scale, levels, expected):
    assert texts(shape, scale, levels) == expected


@pytest.mark.parametrize("text", ["", "0", "-2", "2-2", "2x2x1", "two", "1.5", "2-0-1"])
def test_nonsense_is_said_in_words_of_the_window(text):
    layer = Image(np.zeros((60, 99, 99), np.uint8), name="em")
    with pytest.raises(ConfigError, match="no magnification") as caught:
        typed(text, layer)
    assert "2-2-1" in str(caught.value)
    assert "--" not in str(caught.value)


def test_one_that_is_coarser_than_the_image_is_refused():
    layer = Image(np.zeros((60, 99, 99), np.uint8), name="em")
    with pytest.raises(ConfigError, match="coarser than all of em"):
        typed("100-100-1", layer)
    assert typed(" 5-3-1 ", layer) == (1, 3, 5)
    assert typed("90", Image(np.zeros((99, 99), np.uint8))) == (90, 90, 90)


@pytest.mark.parametrize("shown", [False])
def test_what_is_typed_is_taken_as_it_is(viewer, session, shown, monkeypatch):
    dock = AnnotateDock(viewer)
    chooser, told = dock.truth_view.magnification, []
    monkeypatch.setattr("napari_aitrain.gui.notify.show_error", told.append)
    viewer.add_image(np.zeros((60, 99, 99), np.uint8), name="em")
    chooser.setCurrentText("")
    QTest.keyClicks(chooser.lineEdit(), "3-3-1")
    viewer.add_image(np.zeros((60, 300, 300), np.uint8), name="other")
    assert chooser.currentText() == "3-3-1", "other choices take away nothing that was typed"
    count = chooser.count()
    dock.truth_view.new.click()
    assert session.truths.current.magnification == (1, 3, 3)
    assert chooser.count() == count
    chooser.setCurrentText("")
    QTest.keyClicks(chooser.lineEdit(), "some")
    dock.truth_view.new.click()
    (text,) = told
    assert "'some' is no magnification" in text
    assert len(session.truths.all()) == 1
    dock.leave()
