"""Running an evaluation job in the worker: box by box, to be stopped, paused and gone on with at any time."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..evaluation.box_judge import judge_box
from ..evaluation.box_records import BOXES, BoxArrays, BoxRecord, as_bytes, as_small, read_record, write_box
from ..evaluation.box_results import EVALUATION, BoxResult, Caution, ModelEvaluation, write_evaluation
from ..evaluation.cautions import (
    cautions_of_boxes,
    cautions_of_choices,
    cautions_of_model,
    place_key,
    used_boxes,
)
from ..evaluation.figures import best_threshold, figures, headline
from ..evaluation.model_facts import evaluated_model, training_use
from ..geometry import Region, Triple, align_inwards, to_finest
from ..inference import PredictionCancelledError
from ..inference.fingerprint import model_fingerprint
from ..inference.image import PreparedImage, prepare_image
from ..inference.in_box import BoxPredictor
from ..inference.planning import make_network
from ..inference.predictor import Network
from ..inference.store import SUFFIX
from ..models import Model, ModelCard, load_model, locate_model
from ..models.seen_test import Look, looks_at, note_look
from ..nets.device import choose_device, choose_precision, describe_device
from ..training.plan import REACH
from ..training.sources import SourceImage
from .evaluate_config import EvaluateConfig
from .evaluation_boxes import TestedBox, TestSet, open_test_set, read_truth, seen_at, unknown_classes
from .folder import JobFolder
from .inbox import Message
from .steering import Steering

MOST_ERRORS = 2000


def run_evaluation(
    job: JobFolder, config: EvaluateConfig, emit: Callable[..., None], control: Callable[[], list[Message]]
) -> None:
    """Evaluate a model on boxes with ground truth, or go on with it; the result is ``evaluation.json``.

    Parameters
    ----------
    job : JobFolder
        Holds the result, and ``boxes/`` with what is shown of each.
    config : EvaluateConfig
        The job's settings.
    emit, control : callable
        As for `training.loop.run_training`. Events are state, warning, ``progress`` (done, total, stage, fraction,
        seconds), ``box`` (number, role, name, figure, value) and done.

    Raises
    ------
    AitrainError
        If it cannot be run.
    """
    steering = Steering(emit, control, job.events())
    model = load_model(config.model)
    emit("state", state="running")
    test_set = open_test_set(config, model)
    running = _Running(job, config, model, test_set, steering.cancelled)
    total = len(test_set.boxes)
    records: list[BoxRecord] = []
    emit("progress", done=0, total=total, stage="boxes", fraction=0.0, seconds=steering.seconds)
    for number, tested in enumerate(test_set.boxes):
        if steering.cancelled():
            return
        try:
            record = running.box(number, tested)
        except PredictionCancelledError:
            return
        if record is not None:
            records.append(record)
            _tell_box(emit, model, record.result)
        done = number + 1
        emit("progress", done=done, total=total, stage="boxes", fraction=done / total, seconds=steering.seconds)
    evaluation = _assemble(job, config, model, records, (*test_set.left_out, *running.left_out))
    write_evaluation(job.path / EVALUATION, evaluation)
    _note_look(job, model, evaluation)
    for caution in evaluation.warnings:
        emit("warning", message=f"{caution.message} {caution.remedy}".strip())
    device = choose_device(config.device)
    precision = str(choose_precision(device, config.precision)).removeprefix("torch.")
    emit("done", seconds=steering.seconds, evaluation=str(job.path / EVALUATION),
         device=describe_device(device), precision=precision)  # fmt: skip


def _tell_box(emit: Callable[..., None], model: Model, result: BoxResult) -> None:
    key = headline(evaluated_model(model))
    value = figures([result], with_intervals=False)[key].value
    emit("box", number=result.number, role=result.role, name=result.name, figure=key, value=value)


@dataclass
class _Seen:
    """An image that is open."""

    image: SourceImage
    source: SourceImage
    prepared: PreparedImage
    predictor: BoxPredictor
    warnings: tuple[str, ...]


class _Running:
    """Evaluates boxes; the image of the last one stays open."""

    def __init__(
        self, job: JobFolder, config: EvaluateConfig, model: Model, test_set: TestSet, cancelled: Callable[[], bool]
    ) -> None:
        self._job, self._config, self._model, self._cancelled = job, config, model, cancelled
        self._separation = test_set.separation
        self._seen: _Seen | None = None
        self._network = functools.cache(self._make_network)
        self.left_out: list[Caution] = []

    def _make_network(self) -> Network:
        return make_network(self._model, self._config.device, self._config.precision)

    def box(self, number: int, tested: TestedBox) -> BoxRecord | None:
        """Return what a box gave; None if it holds no voxel of the prediction.

        Raises
        ------
        PredictionCancelledError
            If the job is to stop.
        """
        key = self._key(tested)
        if (kept := read_record(self._job.path, number, key)) is not None:
            return kept
        began, seen = time.monotonic(), self._open(tested.image)
        magnification = seen.prepared.magnification
        whole = Region.from_shape(seen.image.shape)
        region = align_inwards(tested.box.region.intersect(whole), magnification)
        if region.empty:
            self._leave_out(tested, "it holds no voxel at the magnification of the model")
            return None
        truth = read_truth(seen.image, tested.box, region)
        if not (truth >= 0).any():
            self._leave_out(tested, "nothing is labelled in it")
            return None
        store = self._job.path / BOXES / f"{number:03d}-{key[:8]}{SUFFIX}"
        objects = seen.predictor.predict(region, store, self._cancelled)
        card, task = self._model.card, self._model.task()
        judged = judge_box(objects, truth, card.threshold)
        where = to_finest(region, magnification)
        result = BoxResult(
            number=number, role=tested.role, name=tested.box.label, source=str(tested.image.image),
            labels=str(tested.image.labels), start=where.start, stop=where.stop, magnification=magnification,
            fingerprint=tested.image.fingerprint, voxels=int((truth >= 0).sum()),
            seconds=time.monotonic() - began, **judged.sums,
        )  # fmt: skip
        errors = tuple(judged.errors(number, region.start, magnification))
        record = BoxRecord(
            key=key, result=result, errors=errors, unknown=unknown_classes(truth, task), warnings=seen.warnings
        )
        arrays = BoxArrays(
            as_bytes(seen.prepared.read(region)), as_small(judged.shown), as_small(judged.truth), objects.scores
        )
        write_box(self._job.path, record, arrays)
        shutil.rmtree(store, ignore_errors=True)
        return record

    def _leave_out(self, tested: TestedBox, why: str) -> None:
        name = tested.box.label
        remedy = "Draw a larger box, or label something in it."
        self.left_out.append(Caution(code="left-out", message=f"{name} is left out: {why}.", remedy=remedy, where=name))

    def _key(self, tested: TestedBox) -> str:
        card, image = self._model.card, tested.image
        parts = (
            model_fingerprint(self._model), card.threshold, image.fingerprint, str(image.image), str(image.labels),
            tested.box.model_dump(mode="json"), tested.role, self._separation,
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def _open(self, image: SourceImage) -> _Seen:
        if self._seen is None or self._seen.source is not image:
            volume = image.open_finest()
            prepared = prepare_image(self._model, volume)
            config = self._config
            predictor = BoxPredictor(self._model, self._network, volume, prepared, config.device, config.precision)
            seen = seen_at(image, prepared, self._separation)
            self._seen = _Seen(seen, image, prepared, predictor, prepared.warnings)
        return self._seen


def _assemble(
    job: JobFolder, config: EvaluateConfig, model: Model, records: Sequence[BoxRecord], left_out: Sequence[Caution]
) -> ModelEvaluation:
    boxes = [record.result for record in records]
    errors = sorted((error for record in records for error in record.errors), key=lambda error: -error.wrong)
    unknown = sorted({number for record in records for number in record.unknown})
    warned = dict.fromkeys(text for record in records for text in record.warnings)
    evaluation = ModelEvaluation(
        model=evaluated_model(model),
        training=training_use(model.card),
        boxes=tuple(boxes),
        errors=tuple(errors[:MOST_ERRORS]),
    )
    before, others = _looks_before(job, model), dict(_relatives(model))
    cautions = [
        *left_out,
        *(cautions_of_boxes(boxes, used_boxes(model.card), reach_of(model.card)) if "test" in config.roles else ()),
        *cautions_of_choices(model.card, evaluation.of_role("test"), before, others, best_threshold(evaluation)),
        *cautions_of_model(model.card, config.class_names, unknown),
        *(Caution(code="image", message=text) for text in warned),
    ]
    return evaluation.model_copy(update={"warnings": tuple(cautions)})


def reach_of(card: ModelCard) -> Triple:
    """Return how far boxes of different roles should be from each other, z, y, x, in voxels of the prediction."""
    if card.dims == 2:
        return 0, REACH, REACH
    size = card.voxel_size
    depth = REACH if size is None else round(REACH * size[1] / size[0])
    return max(1, min(REACH, depth)), REACH, REACH


def _looks_before(job: JobFolder, model: Model) -> list[Look]:
    return [look for look in looks_at(model.folder) if look.evaluation != str(job.path)]


def _relatives(model: Model) -> Iterator[tuple[str, Sequence[Look]]]:
    """Yield looks at test figures of other versions of a model, and of the model that it went on from."""
    folder = model.folder
    if re.fullmatch(r"v\d+", folder.name):
        for other in sorted(folder.parent.glob("v[0-9]*")):
            if other != folder:
                yield f"{folder.parent.name}/{other.name}", looks_at(other)
    if model.card.parent:
        parent = _located(model.card.parent)
        if parent is not None and parent != folder:
            yield model.card.parent, looks_at(parent if (parent / "model.json").is_file() else parent / "model")


def _located(reference: str) -> Path | None:
    try:
        return locate_model(reference)
    except ModelError:
        # All of its versions may be archived or deleted.
        return None


def _note_look(job: JobFolder, model: Model, evaluation: ModelEvaluation) -> None:
    test = evaluation.of_role("test")
    if not test:
        return
    card, before = model.card, looks_at(model.folder)
    look = Look(
        evaluation=str(job.path),
        threshold=card.threshold,
        task_settings=card.task_settings,
        boxes=tuple(place_key(box) for box in test),
    )
    if not (before and before[-1].model_copy(update={"when": look.when}) == look):
        note_look(model.folder, look)
