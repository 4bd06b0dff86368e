"""From what a check found to what the status panel shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ...annotation.choosing import Choice, Chosen
from ...annotation.findings import Finding
from ...errors import AitrainError, ConfigError, MissingWeightsError, ScriptNotTrustedError
from ...jobs import JobFolder, State
from ...training.config import AUTO, TrainConfig
from ...training.config_file import known_keys
from ...words import sentence, spoken_size, spoken_time
from ..weights.models import named_in
from .checker import Checked
from .status import Problem, Status

_TO_SOURCES = frozenset({"no-boxes", "no-volume", "same-layer", "no-common-magnification"})
_TO_VOXEL_SIZE = frozenset({"voxel-size-needed"})
_GIVE_VOXEL_SIZE = "Press Show me, and give the voxel size in nm."
NOTHING = ConfigError(
    "there is nothing to train on",
    "ground truth",
    "paint some in the Annotate dock and draw a box around it, or press + to take layers or files",
)
_TO_FIELD = {"few-annotations": "", "no-validation": "field:validation_fraction"}


def status_of(checked: Checked, target_of_place: Callable[[str], str]) -> Status:
    """Return what is shown of an answer.

    Parameters
    ----------
    checked : Checked
        The answer.
    target_of_place : callable
        Turns the name of a box or file into what "show me" goes to; empty for nothing.
    """
    found = checked.readiness
    problems = []
    for one in found.findings:
        target = _target(one, target_of_place)
        # The name of a box stays as it was written.
        named = bool(one.where) and one.message.startswith(one.where)
        text = one.message if named else sentence(one.message)
        remedy = _GIVE_VOXEL_SIZE if target.startswith("voxel-size:") else sentence(one.remedy)
        problems.append(Problem(one.level, text, remedy, target))
    roles: dict[str, tuple[int, int, int]] = {}
    for role, each in found.roles.items():
        roles[role] = (each.boxes, each.labelled, each.objects)
    return Status(
        problems=problems,
        counts=roles if found.dims else None,
        sentences=[text for text in (found.sentence, _dims(checked), _classes(checked)) if text],
        estimate=_estimate(checked),
    )


def automatic_start(checked: Checked) -> str | None:
    """Return what the automatic start is by an answer; None where nobody asked for it or nothing can be said."""
    plan = checked.readiness.plan
    return plan.start.start_from if plan is not None and checked.config.start_from == AUTO else None


def status_of_error(error: AitrainError) -> Status:
    """Return what is shown when there is not even a config."""
    named = next((key for key in known_keys(TrainConfig) if re.search(rf"\b{key}\b", error.what)), "")
    return Status(
        [
            Problem(
                "error",
                sentence(error.what),
                sentence(error.remedy or error.expected),
                f"field:{named}" if named else "",
            )
        ]
    )


def message_of_job(job: JobFolder, state: State) -> str:
    """Return what is said of a job that was started from the dock."""
    words = {"queued": "waits for its turn", "starting": "starts", "running": "is learning", "done": "has ended"}
    return f"{job.name} {words.get(state, f'is {state}')}."


def left_words(choice: Choice, boxes: Sequence[Chosen]) -> str:
    """Return how many boxes each filter leaves, as a sentence; empty where there are no boxes."""
    if not boxes:
        return ""
    left = choice.left(boxes)
    if left[-1].boxes == len(boxes):
        return f"All {len(boxes)} boxes are used." if len(boxes) > 1 else "The box is used."
    words = {
        "statuses": "have such a status",
        "tags": "of these have such a tag",
        "dates": "of these were changed then",
    }
    told = [f"{one.boxes} {words[one.name]}" for one in left]
    undated = left[-1].undated
    when = f" (of {undated} nobody knows when)" if undated else ""
    return f"Of {len(boxes)} boxes {', '.join(told)}{when}."


def _target(finding: Finding, target_of_place: Callable[[str], str]) -> str:
    if finding.where and (found := target_of_place(finding.where)):
        return found.replace("row:", "voxel-size:") if finding.code in _TO_VOXEL_SIZE else found
    if finding.code == MissingWeightsError.__name__ and (name := named_in(finding.message)):
        return f"weights:{name}"
    if finding.code == ScriptNotTrustedError.__name__:
        return "script:"
    if finding.code in _TO_SOURCES:
        return "row:0"
    named = [key for key in known_keys(TrainConfig) if re.search(rf"\b{key}\b", finding.where)]
    return f"field:{named[0]}" if named else _TO_FIELD.get(finding.code, "")


def _dims(checked: Checked) -> str:
    found = checked.readiness
    reason = found.dims_reason.rstrip(".")
    return f"{reason}." if found.dims and reason else ""


def _classes(checked: Checked) -> str:
    found = checked.readiness
    train = found.roles["train"]
    counts, boxes = train.class_voxels, train.class_boxes
    if not counts:
        return ""
    names = checked.config.class_names
    each = (
        f"{names.get(number, number)} ({counts.get(number, 0):,} voxels in {_boxes(boxes.get(number, 0))})"
        for number in found.classes
    )
    return f"Classes: {', '.join(each)}."


def _boxes(number: int) -> str:
    return f"{number} {'box' if number == 1 else 'boxes'}"


def _estimate(checked: Checked) -> str:
    one = checked.estimate
    if one is None:
        return checked.trouble
    after = spoken_time(max(1, one.seconds_to_first_preview))
    sizes = f"{spoken_size(one.peak_memory_bytes)} of memory, {spoken_size(one.disk_bytes)} of disk"
    return f"First result after about {after}; {sizes}; on {one.device} in {one.precision}."
