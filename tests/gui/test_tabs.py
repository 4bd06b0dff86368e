"""Docks as a person opens them, from napari's menu: they share the room that there is, and each is there once."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDockWidget, QMenu, QTabBar

from napari_aitrain.gui.jobs.use import open_dock

NAMES = ["Annotate", "Auto-segment", "Train", "Review", "Label next", "Evaluate", "Models", "Classify", "Jobs"]


def entries(menu: QMenu) -> list[Any]:
    """Return what the plugin has in a menu of napari's."""
    ours = next(action.menu() for action in menu.actions() if action.text() == "AI Train")
    assert ours is not None
    return [action for action in ours.actions() if not action.isSeparator()]


@pytest.fixture
def choose(viewer: Any) -> Any:
    """Return a function that chooses a dock in the menu Plugins."""

    def choose(name: str) -> None:
        next(one for one in entries(viewer.window.plugins_menu) if one.text().startswith(f"{name} (")).trigger()
        QApplication.processEvents()

    return choose


def frames(viewer: Any) -> dict[str, QDockWidget]:
    """Return napari's frames of the plugin's docks, by their names."""
    every = viewer.window._qt_window.findChildren(QDockWidget)
    return {one.windowTitle(): one for one in every if "(AI Train)" in one.objectName()}


def in_front(viewer: Any) -> list[str]:
    """Return the docks that can be seen."""
    return [name for name, frame in frames(viewer).items() if not frame.visibleRegion().isEmpty()]


def test_the_menu_begins_with_the_first_step(viewer: Any) -> None:
    assert [one.text() for one in entries(viewer.window.plugins_menu)] == [f"{name} (AI Train)" for name in NAMES]


def test_all_docks_fit_on_a_small_screen(viewer: Any, choose: Any, wait_for: Any) -> None:
    window = viewer.window._qt_window
    before = window.size()
    for name in NAMES:
        choose(name)
        wait_for(lambda name=name: in_front(viewer) == [name])
        # Sentences of other platforms are a little wider.
        assert frames(viewer)[name].width() <= 400, name
    assert window.size() == before
    bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    (bar,) = [bar for bar in bars if bar.isVisible()]
    assert [bar.tabText(number) for number in range(bar.count())] == NAMES
    assert bar.elideMode() == Qt.TextElideMode.ElideNone


def test_the_menu_brings_a_dock_to_the_front_before_it_hides_it(viewer: Any, choose: Any, wait_for: Any) -> None:
    for name in ("Annotate", "Train"):
        choose(name)
        wait_for(lambda name=name: in_front(viewer) == [name])
    choose("Annotate")
    wait_for(lambda: in_front(viewer) == ["Annotate"])
    choose("Annotate")
    wait_for(lambda: in_front(viewer) == ["Train"])
    choose("Annotate")
    wait_for(lambda: in_front(viewer) == ["Annotate"])


def test_annotate_leads_to_train(viewer: Any, choose: Any, hand: Any, wait_for: Any) -> None:
    choose("Annotate")
    wait_for(lambda: in_front(viewer) == ["Annotate"])
    hand.click(frames(viewer)["Annotate"].widget().project_view.train)
    wait_for(lambda: in_front(viewer) == ["Train"])


@pytest.mark.parametrize("from_menu", [True, False])
def test_what_another_dock_leads_to_is_the_one_of_the_menu(
    from_menu: bool, viewer: Any, session: Any, choose: Any, wait_for: Any
) -> None:
    if from_menu:
        choose("Train")
    led = open_dock(session, "Train")
    if not from_menu:
        choose("Models")
        choose("Train")
    wait_for(lambda: in_front(viewer) == ["Train"])
    assert frames(viewer)["Train"].widget() is led
    assert len([one for one in viewer.window.dock_widgets if one.startswith("Train")]) == 1
