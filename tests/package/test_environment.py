"""The tests of the window are left out where napari is not installed, and nowhere else."""

from importlib.util import find_spec

import pytest


@pytest.mark.skipif(find_spec("napari") is None, reason="napari is not installed: tests of the window are left out")
def test_what_the_tests_of_the_window_need_is_there() -> None:
    assert find_spec("pytestqt") is not None, "install the extra 'test'"
