"""Learning on from what is painted while a training runs: when to look, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import AitrainError, ConfigError
from .config import Source, TrainConfig
from .intake import Intake, Taken
from .object_rules import separation_of
from .setup import Setup
from .wanted import BoxKey, wanted_boxes

EVERY, SHARE = 5.0, 0.05
"""Seconds between two looks at the ground truth, and the most that they take of the training."""

KeepConfig = Callable[[TrainConfig], None]


class NewTruth:
    """Takes the ground truth of the newest message into a running training.

    Parameters
    ----------
    folder : Path
        The job folder.
    setup : Setup
        Its config, crops and sampler are exchanged for the new ones.
    emit : callable
        As in `loop.run_training`.
    keep_config : callable, optional
        Writes the config with the new sources down, so that a resume uses them.
    """

    def __init__(
        self, folder: Path, setup: Setup, emit: Callable[..., None], keep_config: KeepConfig | None = None
    ) -> None:
        self._folder, self._setup, self._emit, self._keep_config = folder, setup, emit, keep_config
        self._sources: list[Any] | None = None
        self._known: frozenset[BoxKey] | None = None
        self._told: set[str] = set()
        self._due = 0.0

    def offer(self, message: Mapping[str, Any]) -> None:
        """Remember a message; a later one takes its place."""
        sources = message.get("sources")
        self._sources = sources if isinstance(sources, list) else None

    def is_due(self, seconds: float) -> bool:
        """Whether there is a message, and it is time for it."""
        return self._sources is not None and seconds >= self._due

    def take(self, clock: Callable[[], float]) -> bool:
        """Take the newest message in, and return whether the training crops are others now.

        Trouble is told, and leaves everything as it was.
        """
        began = clock()
        sources, self._sources = self._sources, None
        try:
            changed = self._take([_source(row) for row in sources or []])
        except AitrainError as error:
            changed = False
            self._warn(str(error))
        self._due = clock() + max(EVERY, (clock() - began) / SHARE)
        return changed

    def _take(self, sources: list[Source]) -> bool:
        setup = self._setup
        separation = separation_of(setup.task, setup.dims, setup.crops.binary)
        if self._known is None:
            self._known = frozenset(one.key for one in wanted_boxes(setup.config, separation))
        config = setup.config.model_copy(update={"sources": tuple(sources)})
        wanted = wanted_boxes(config, separation)
        intake = Intake(self._folder, setup.crops, setup.task, setup.sampler.prepared)
        try:
            taken = intake.take(wanted, self._known)
            if not taken.nothing:
                setup.crops = intake.keep(taken)
        finally:
            intake.sweep(setup.crops)
            setup.sampler.use(setup.crops.of_role("train"))
        self._known = frozenset(taken.used)
        if config != setup.config:
            setup.config = config
            if self._keep_config is not None:
                self._keep_config(config)
        self._tell(taken)
        return not taken.nothing

    def _tell(self, taken: Taken) -> None:
        if taken.overlapping:
            self._warn(
                f"Boxes that share voxels with those for validation or test are left out: "
                f"{', '.join(taken.overlapping)}. What measures the model is never learned from."
            )
        for name, why in taken.unusable.items():
            self._warn(f"{name} is left out: {why}.")
        if taken.new_classes:
            known = self._setup.config.class_names
            names = ", ".join(known.get(number, str(number)) for number in sorted(taken.new_classes))
            self._warn(
                f"Classes {names} were not there when the training began, so it cannot learn them; start another "
                "training for them."
            )
        train = self._setup.crops.of_role("train")
        self._emit("ground-truth", step=self._setup.trainer.steps, added=taken.added, changed=taken.changed,
                   removed=taken.removed, left_out=[*taken.overlapping, *taken.unusable], boxes=len(train),
                   labelled=sum(c.labelled for c in train), objects=sum(c.objects for c in train))  # fmt: skip

    def _warn(self, text: str) -> None:
        # The same trouble comes again with every stroke.
        if text not in self._told:
            self._told.add(text)
            self._emit("warning", message=text)


def _source(row: object) -> Source:
    try:
        return Source.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"a training source cannot be used: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            "image, labels and boxes",
            "choose the image and the ground truth again",
        ) from error
