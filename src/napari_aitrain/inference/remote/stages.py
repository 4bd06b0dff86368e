"""The stages of a prediction whose objects a server finds: no maps, and answers joined where tiles overlap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ...geometry import Region
from ...tasks.protocol import Objects
from ..elsewhere import Elsewhere
from ..merging import Merging, score_objects
from ..stages import FACES, Stages


class RemoteStages(Stages):
    """Does the blocks of a prediction by a server that gives objects; see `Stages`."""

    decoding = "answers"

    @property
    def sizes(self) -> dict[str, int]:
        """Blocks per stage, in the order of the stages."""
        count = len(self.decode_grid)
        return {"answers": count, FACES: count, "merging": 1, "stitching": count}

    def _needs(self, index: int) -> Iterable[int]:
        return ()

    def _do_answers(self, index: int) -> None:
        """Ask for the objects of a block with its overlap."""
        self._keep_objects(index, self._decoded(self.decode_grid[index].outer))

    def _decoded(self, region: Region) -> Objects:
        assert self.network is not None and self.image is not None
        network = self.network()
        assert isinstance(network, Elsewhere)
        self._elsewhere = network
        with self._reading:
            seen = self.image.read(region.shift(self.info.start))
        return network.objects(seen)

    def _do_merging(self, index: int) -> None:
        """Join the pieces of all blocks to objects; which class an object has is in its features."""
        merged = Merging(self.store, len(self.decode_grid)).run()
        table = score_objects(merged, None, self.info.classes[-1])
        if merged.features.shape[1]:
            classes = np.asarray(self.info.classes[1:], np.int32)[np.asarray(merged.features).argmax(axis=1)]
            classes[:1] = 0
            table = replace(table, class_id=classes)
        table.save(self.store)
