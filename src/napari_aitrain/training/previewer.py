"""When to show what a training has learned, of which place, and at what cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import AitrainError
from ..geometry import Region
from .previews import PreviewRegion, describe, predict_preview_maps, write_preview
from .setup import Setup
from .teacher import Teacher
from .views import Answers, View, read_view

FIRST_STEPS = 4
"""Steps after which a network that began from nothing has something to show."""
SHARE, MOST = 0.05, 0.08
"""Of the time of training: what repeated previews take, and all of them with those that were asked for."""
BURST = 1.0
"""Seconds of previews that are answered at once, such as to somebody who goes through some slices."""


class Previewer:
    """Predicts one place again and again: a part of a validation crop, or what somebody asks for.

    Nothing random is used, so that previews do not change what is learned.

    Parameters
    ----------
    folder : Path
        The job folder.
    setup : Setup
        What is trained.
    emit : callable
        As in `loop.run_training`.
    clock : callable
        Returns the seconds of training so far.
    """

    def __init__(self, folder: Path, setup: Setup, emit: Callable[..., None], clock: Callable[[], float]) -> None:
        self._folder, self._setup, self._emit, self._clock = folder, setup, emit, clock
        crops = setup.crops
        shown = (crops.of_role("validation") or crops.of_role("train"))[0]
        self.place: PreviewRegion | View = PreviewRegion.of_labels(shown, setup.dims)[0]
        self.teacher: Teacher | None = None
        # A network that goes on from a model or a checkpoint has something to show before its first step.
        begun = setup.parent is not None or setup.trainer.steps > 0
        self._first_steps = 0 if begun else FIRST_STEPS
        self._answers = Answers(folder / "previews")
        self._asked = True
        self._shown_step = -1
        self._began, self._due, self._cost = clock(), 0.0, 0.0

    def ask(self, message: Mapping[str, Any]) -> None:
        """Show what a message asks for, from now on; what cannot be shown is told, and changes nothing."""
        try:
            place = self._find(message)
        except AitrainError as error:
            self._emit("warning", message=str(error))
            return
        if place is not None:
            if self.teacher is not None and isinstance(self.place, View):
                self.teacher.forget(self.place)
            self.place, self._asked, self._shown_step = place, True, -1

    def _find(self, message: Mapping[str, Any]) -> PreviewRegion | View | None:
        if isinstance(message.get("view"), Mapping):
            if isinstance(self.place, View) and message["view"].get("request") == self.place.request:
                return None
            return read_view(self._folder, message["view"], self._setup.crops)
        try:
            wanted = Region(message["start"], message["stop"])
        except (KeyError, TypeError, ValueError):
            return None
        for crop in self._setup.crops.crops:
            part = wanted.relative_to(crop.start).intersect(Region.from_shape(crop.shape))
            if crop.number == message.get("crop") and not part.empty:
                return PreviewRegion(crop, part)
        return None

    def changed(self) -> None:
        """Say that there is something new although no step was taken, such as a new teacher."""
        self._shown_step = -1

    def show_if_due(self, *, free: bool = False) -> None:
        """Show the place if that is due, there is something new to see, and it costs the training little enough.

        Parameters
        ----------
        free : bool
            Whether the training waits anyway, so that it costs nothing.
        """
        step, now = self._setup.trainer.steps, self._clock()
        ready = step >= self._first_steps or (self.teacher is not None and self.teacher.blend == 1)
        if not ready or step == self._shown_step:
            return
        affordable = free or self._cost <= MOST * (now - self._began) + BURST
        if affordable if self._asked else now >= self._due:
            self.show()

    def show(self) -> None:
        """Show the place now."""
        began, step, by = self._clock(), self._setup.trainer.steps, self._by()
        shown = describe(self._maps(), self._setup.task, self.place.voxel_size, self._setup.dims)
        if isinstance(self.place, View):
            names = self._answers.write(shown)
            task = self._setup.task
            how = {"settings": task.settings.model_dump(mode="json"), "voxel_size": self.place.voxel_size}
            told = how if task.sliders else {}
            self._emit("preview", request=self.place.request, step=step, seconds=began, by=by, **told, **names)
        else:
            self._write(self.place, shown, step, began, by)
        now = self._clock()
        self._cost += now - began
        self._due = now + max(self._setup.config.preview_interval, (now - began) / SHARE)
        self._asked, self._shown_step = False, step

    def _by(self) -> str:
        """Return what is shown: ``forest``, ``network``, or ``both``, their mean."""
        blend = 0.0 if self.teacher is None else self.teacher.blend
        return {0.0: "network", 1.0: "forest"}.get(blend, "both")

    def _maps(self) -> Any:
        setup = self._setup
        if self.teacher is not None and self.teacher.blend == 1:
            return self.teacher.maps(self.place)
        network = setup.runner(setup.trainer.average)
        if self.teacher is not None:
            return self.teacher.blended(network, self.place)
        return predict_preview_maps(network, setup.task, self.place, setup.dims)

    def _write(self, place: PreviewRegion, shown: dict[str, Any], step: int, seconds: float, by: str) -> None:
        path = write_preview(self._folder / "previews", place, shown, step, seconds)
        self._emit("preview", step=step, seconds=seconds, by=by, path=path.name, crop=place.crop.number,
                   start=list(place.region.start), stop=list(place.region.stop))  # fmt: skip
