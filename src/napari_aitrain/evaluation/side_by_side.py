"""Two or more models on the same boxes: their figures side by side, and by how much they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..annotation.boxes import Role
from ..errors import ConfigError
from .bootstrap import LEVEL, Interval, replicates_of
from .box_results import ROLES, BoxResult, ModelEvaluation
from .figures import Figure, common_boxes, figures, headline, kind_of, shown_figures

_LOWER_IS_BETTER = {"voi", "voi_split", "voi_merge", "arand"}


@dataclass(frozen=True)
class Difference:
    """By how much a figure of a model is above that of the first one.

    Parameters
    ----------
    value : float
        Of all boxes together.
    interval : tuple of float, optional
        95 %, by drawing the same boxes for both; None of a single box.
    better : bool or None
        Whether it is surely better (True) or worse (False), which is when 0 lies outside the interval.
    """

    value: float
    interval: Interval | None = None
    better: bool | None = None


@dataclass(frozen=True)
class Column:
    """One model.

    Parameters
    ----------
    label : str
        What it is called.
    evaluation : ModelEvaluation
        Where its figures are from.
    figures : dict of str to Figure
        Of all boxes that the models have in common.
    differences : dict of str to Difference
        From the first model; empty for that.
    each : tuple of float
        The one figure that says most, box by box.
    """

    label: str
    evaluation: ModelEvaluation
    figures: dict[str, Figure]
    differences: dict[str, Difference]
    each: tuple[float, ...]


@dataclass(frozen=True)
class SideBySide:
    """Models on the same boxes.

    Parameters
    ----------
    role : Role
        Of the boxes.
    names : tuple of str
        Of the figures, the one that says most first.
    columns : tuple of Column
        The models, in the order they were given in.
    boxes : tuple of BoxResult
        Those that all have, as the first model's.
    notes : tuple of str
        What should be known about the comparison.
    """

    role: Role
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    boxes: tuple[BoxResult, ...]
    notes: tuple[str, ...]

    def rows(self) -> Iterable[Sequence[object]]:
        """Yield the table: a row per figure, then the one that says most for each box."""
        yield ("role", "box", "figure", *(column.label for column in self.columns),
               *(f"{column.label} - {self.columns[0].label}" for column in self.columns[1:]))  # fmt: skip
        for name in self.names:
            found = [column.figures[name].value for column in self.columns]
            yield self.role, "all", name, *found, *(column.differences[name].value for column in self.columns[1:])
        for number, box in enumerate(self.boxes):
            each = [column.each[number] for column in self.columns]
            yield self.role, box.name, self.names[0], *each, *(value - each[0] for value in each[1:])


def side_by_side(
    evaluations: Sequence[ModelEvaluation], role: Role | None = None, labels: Sequence[str] | None = None
) -> SideBySide:
    """Compare models on the boxes that all were evaluated on.

    Parameters
    ----------
    evaluations : sequence of ModelEvaluation
        Of two or more models; differences are from the first.
    role : Role, optional
        Of the boxes; if not given test, validation or train, the first of which all have boxes.
    labels : sequence of str, optional
        What the models are called.

    Raises
    ------
    ConfigError
        If there are fewer than two, they are for different kinds of labels, or have no box in common.
    """
    if len(evaluations) < 2:
        raise ConfigError("there is one model", "two or more to compare", "choose another one too")
    labels = labels or [f"{one.model.name} v{one.model.version}" for one in evaluations]
    kinds = {kind_of(one.model) for one in evaluations}
    if len(kinds) > 1:
        raise ConfigError(
            f"the models find {' and '.join(sorted(kinds))}, which no figure compares",
            "models of one kind",
            "compare those that were made for the same labels",
        )
    found = role or next((one for one in reversed(ROLES) if common_boxes(evaluations, one)[0]), None)
    shared = common_boxes(evaluations, found) if found is not None else []
    if found is None or not shared[0]:
        said = f"no {role} box" if role else "no box"
        raise ConfigError(
            f"the models have {said} in common that all were evaluated on, as far as these evaluations go",
            "the same boxes for all; of a model its newest evaluation counts",
            "evaluate each on the same boxes: napari-aitrain evaluate MODEL --job TRAINING, or in the Evaluate dock; "
            "or name the folders of earlier evaluations",
        )
    first = evaluations[0].model
    columns = [
        _column(label, one, boxes, shared[0] if number else None)
        for number, (label, one, boxes) in enumerate(zip(labels, evaluations, shared, strict=True))
    ]
    names = tuple(n for n in shown_figures(first) if all(n in column.figures for column in columns))
    return SideBySide(found, names, tuple(columns), tuple(shared[0]), tuple(_notes(evaluations, found, shared)))


def _column(
    label: str, evaluation: ModelEvaluation, boxes: Sequence[BoxResult], first: Sequence[BoxResult] | None
) -> Column:
    name = headline(evaluation.model)
    each = tuple(figures([box], with_intervals=False)[name].value for box in boxes)
    own = figures(boxes)
    return Column(label, evaluation, own, {} if first is None else _differences(boxes, own, first), each)


def _differences(
    boxes: Sequence[BoxResult], own: dict[str, Figure], first: Sequence[BoxResult]
) -> dict[str, Difference]:
    """Return differences with intervals in which the same boxes are drawn for both models."""
    theirs = figures(first, with_intervals=False)
    drawn, other = (replicates_of([box.comparison() for box in some]) for some in (boxes, first))
    found = {}
    for name in own.keys() & theirs.keys():
        value = own[name].value - theirs[name].value
        a, b = drawn.get(name), other.get(name)
        if a is None or b is None or len(a) != len(b):
            found[name] = Difference(value)
            continue
        low, high = np.quantile(a - b, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        sure = None if low <= 0 <= high else bool((low > 0) != (name in _LOWER_IS_BETTER))
        found[name] = Difference(value, (float(low), float(high)), sure)
    return found


def _notes(evaluations: Sequence[ModelEvaluation], role: Role, shared: Sequence[Sequence[BoxResult]]) -> Iterable[str]:
    count = len(shared[0])
    left = max(len(one.of_role(role)) for one in evaluations) - count
    if left:
        yield f"{left} {role} box{'es'[: 2 * (left != 1)]} that not all were evaluated on are left out."
    if any(len({box.magnification for box in boxes}) > 1 for boxes in zip(*shared, strict=True)):
        yield "Some boxes were predicted at different magnifications, so that voxels are not counted alike."
    if any(len({(box.voxels, box.n_truth) for box in boxes}) > 1 for boxes in zip(*shared, strict=True)):
        yield "The ground truth of some boxes has changed between the evaluations; evaluate the older one again."
    if count < 5:
        yield f"{count} box{'es'[: 2 * (count != 1)]} tell{'s'[: count == 1]} little about others."
    if role == "train":
        yield "These are boxes that models were trained on: figures say how well they remember."
    if role == "test":
        yield "Choose a model by validation: one that is chosen by test boxes looks better on them than it is."
