"""Runs the blocks of stages whose maps are there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from napari_aitrain.inference.manifest import Block, Manifest
from napari_aitrain.inference.stages import Stages
from napari_aitrain.inference.volume import MANIFEST
from napari_aitrain.inference.work import Threads, Work


def run_stages(
    stages: Stages,
    *,
    near: Sequence[float] | None = None,
    threads: int = 1,
    arrange: Callable[[Iterator[Block]], Iterator[Block]] = lambda phase: phase,
    **hooks: Any,
) -> Work:
    """Do everything but the network's part; `arrange` changes the order within a phase."""
    stages.prepare()
    manifest = Manifest(stages.store / MANIFEST, stages.sizes)
    for index in range(len(stages.network_grid)):
        if not manifest.state(Block("network", index)):
            manifest.add(Block("network", index))
    with Threads(stages, threads) as crew:
        work = Work(stages, crew, manifest, **hooks)
        work.run(arrange(phase) for phase in stages.phases(near))
    return work
