"""A prediction job as a window knows it, and what a row of the dock says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...evaluation.calibration import Calibration
from ...inference.info import FailedBlock
from ...jobs import ENDED, JobFolder
from .prediction import Prediction
from .prediction_layer import PredictionLayer

Where = Literal["view", "box", "volume"]
_NAMED = 3
_STAGES = {
    "network": "Network", "objects": "Objects", "classes": "Classes", "fragments": "Fragments", "faces": "Objects",
    "contacts": "Contacts", "merging": "Joining", "agglomeration": "Joining", "stitching": "Stitching",
}  # fmt: skip
_STATES = {
    "queued": "waits", "starting": "starts", "paused": "paused", "stopping": "stops", "stopped": "stopped",
    "interrupted": "interrupted", "failed": "failed",
}  # fmt: skip


@dataclass
class Run:
    """A prediction job of this window.

    Parameters
    ----------
    job : JobFolder
        Its folder; the result is stored there.
    model : Path
        Whose prediction it is.
    image : napari.layers.Image
        What is predicted; it may be gone from the viewer.
    frame : tuple of int
        Index along the axes before z, y and x.
    layer : PredictionLayer
        What shows it.
    where : {'view', 'box', 'volume'}
        What of the image.
    leading : int
        Axes of the image before z, y and x.
    flat : bool
        Whether the image has no z axis.
    class_names : mapping of int to str
        As the card of the model has them.
    calibration : Calibration, optional
        Of the model.
    """

    job: JobFolder
    model: Path
    image: Any
    frame: tuple[int, ...]
    layer: PredictionLayer
    where: Where = "volume"
    leading: int = 0
    flat: bool = False
    class_names: Mapping[int, str] = field(default_factory=dict)
    calibration: Calibration | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    fraction: float = 0.0
    finished: bool = False
    dismissed: bool = False
    """Whether a person removed the layer: then it does not come back by itself."""
    forgotten: bool = False
    """Whether a person does not want to hear of it any more."""
    shown: Prediction | None = None
    failed: tuple[FailedBlock, ...] = ()
    trouble: str = ""
    """Why what is stored cannot be read."""

    def take_progress(self, data: Mapping[str, Any]) -> None:
        """Learn how far it is from an event."""
        self.done, self.total = int(data.get("done", 0)), int(data.get("total", 0))
        self.stage = str(data.get("stage", ""))
        share = self.done / self.total if self.total else 0.0
        self.fraction = float(data.get("fraction", share))

    def take_failure(self, data: Mapping[str, Any]) -> None:
        """Learn of a block that failed."""
        names = ("stage", "start", "stop", "error")
        self.failed = (*self.failed, FailedBlock.model_validate({name: data[name] for name in names}))


@dataclass(frozen=True)
class RunRow:
    """What the dock says of a job.

    Parameters
    ----------
    key : str
        Tells it from others.
    name : str
        What is predicted.
    text : str
        How far it is.
    permille : int or None
        How much is done; None while that is not known.
    actions : frozenset of str
        Of pause, resume, stop, forget.
    trouble : str
        What is wrong, if anything.
    """

    key: str
    name: str
    text: str
    permille: int | None
    actions: frozenset[str]
    trouble: str = ""


def row_of(run: Run, state: str, left: str, preparing: bool) -> RunRow:
    """Return what is said of a job, by its state and the time left in words."""
    name = run.layer.name
    parts = [f"{100 * run.fraction:.0f} %" if run.fraction else "", _STATES.get(state, ""), ""]
    if state == "running":
        parts[1:] = [_STAGES.get(run.stage, run.stage), f"about {left} left" if left else ""]
    if preparing:
        parts[1:] = ["is being prepared"]
    if state == "done":
        parts = [f"{len(run.failed)} blocks are missing"] if run.failed else ["done"]
    text = " · ".join(part for part in parts if part)
    known = run.fraction > 0 or state in ENDED
    trouble = "\n".join(part for part in (failures(run.failed), run.trouble) if part)
    return RunRow(str(run.job.path), name, text, round(1000 * run.fraction) if known else None,
                  _actions(state, preparing), trouble)  # fmt: skip


def _actions(state: str, preparing: bool) -> frozenset[str]:
    if state in ENDED and not preparing:
        return frozenset({"resume", "forget"})
    if state == "stopping":
        return frozenset()
    return frozenset({"stop"} | {"running": {"pause"}, "paused": {"resume"}}.get("" if preparing else state, set()))


def failures(failed: Sequence[FailedBlock]) -> str:
    """Name blocks that could not be predicted, and why; x, y, z as people say it.

    Examples
    --------
    >>> failures([FailedBlock(stage="network", start=(0, 0, 256), stop=(8, 64, 512), error="OSError: broken")])
    'x 256–511, y 0–63, z 0–7 could not be predicted: OSError: broken'
    """
    lines = []
    for block in failed[:_NAMED]:
        z, y, x = (f"{a}–{b - 1}" for a, b in zip(block.start, block.stop, strict=True))
        lines.append(f"x {x}, y {y}, z {z} could not be predicted: {block.error}")
    if len(failed) > _NAMED:
        lines.append(f"and {len(failed) - _NAMED} more; the log in the Jobs dock names them")
    return "\n".join(lines)
