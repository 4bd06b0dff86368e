"""One image and one ground truth for all tests of WEBKNOSSOS."""

from __future__ import annotations

import numpy as np
import pytest
from webknossos_files import SHAPE, Array


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def image(rng: np.random.Generator) -> Array:
    return rng.integers(1, 255, SHAPE, dtype=np.uint8)


@pytest.fixture
def labels(rng: np.random.Generator) -> Array:
    return np.kron(rng.integers(0, 5, (3, 5, 4)), np.ones((2, 4, 6), int)).astype(np.uint32)
