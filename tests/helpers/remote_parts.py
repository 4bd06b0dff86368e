"""Parts of tests of remote models: a server in a thread, settings, an image."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from napari_aitrain.inference.remote import RemoteConfig, parse_remote
from napari_aitrain.serving.engine import Engine
from napari_aitrain.serving.running import listen
from napari_aitrain.serving.settings import ServeSettings


@contextmanager
def serving(engine: Engine, settings: ServeSettings | None = None) -> Iterator[str]:
    """Serve a model for the block; gives its address."""
    listening = listen(engine, settings or ServeSettings(), "127.0.0.1", 0)
    thread = threading.Thread(target=listening.run, daemon=True)
    thread.start()
    try:
        yield listening.url
    finally:
        listening.server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def config(url: str, **settings: object) -> RemoteConfig:
    return parse_remote({"url": url, **settings})


def blobs(shape: tuple[int, int] = (200, 180), seed: int = 0, count: int = 12) -> np.ndarray:
    """Return bright discs of two brightnesses on a dark ground, uint8, none of them touching."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image, taken = np.full(shape, 20, np.uint8), np.zeros(shape, bool)
    for number in range(40 * count):
        cy, cx, radius = generator.uniform(12, shape[0] - 12), generator.uniform(12, shape[1] - 12), 8 + number % 4
        disc, near = np.hypot(y - cy, x - cx) < radius, np.hypot(y - cy, x - cx) < radius + 3
        if count and not (taken & near).any():
            image[disc], count = 150 if count % 2 else 240, count - 1
            taken |= near
    return image
