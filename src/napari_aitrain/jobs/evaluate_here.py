"""Evaluating a model from Python: a job in a worker process, waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..annotation.boxes import Box, Role
from ..errors import ConfigError, JobError
from ..evaluation.box_results import ModelEvaluation, read_evaluation
from ..evaluation.model_report import write_model_report
from ..models import Model, find_model
from ..training.config import Source
from .evaluate_config import EvaluateConfig
from .evaluate_given import job_sources, own_sources
from .events import Event
from .failure import as_error
from .folder import JobFolder, refuse_filled
from .given import Images, PathLike, config_from
from .launch import Worker
from .predict_config import checked
from .summary import default_folder, summarise


def evaluate_model(
    model: Model | PathLike,
    *,
    image: Images | None = None,
    labels: Images | None = None,
    boxes: PathLike | Sequence[Box] | Sequence[PathLike | Sequence[Box]] | None = None,
    sources: Sequence[Source] | None = None,
    job: PathLike | None = None,
    roles: Sequence[Role] | None = None,
    role: Role | None = None,
    out: PathLike | None = None,
    report: PathLike | None = None,
    device: str = "auto",
    on_event: Callable[[Event], None] | None = None,
    **of_source: Any,
) -> ModelEvaluation:
    """Say how good a model is, on boxes with ground truth; a worker process does it, and is waited for.

    Parameters
    ----------
    model : Model or path
        A model, its folder, the folder of its job, or its name.
    image, labels, boxes : optional
        Images and ground truth as for `train`; images without boxes count as test.
    sources : sequence of Source, optional
        The same, with all settings.
    job : path, optional
        The folder of a training, whose boxes are taken with the roles that they had. Without any of these the boxes
        that are on the card of the model are.
    roles : sequence of {'train', 'validation', 'test'}, optional
        Which boxes are looked at; all if not given.
    role : {'train', 'validation', 'test'}, optional
        The role of all boxes, in place of their own.
    out : path, optional
        New folder for the job; by name and time in the user's folder if not given.
    report : path, optional
        HTML file to write, with tables beside it.
    device : str
        auto, cpu, cuda, cuda:N or mps.
    on_event : callable, optional
        Called with every event, such as progress.
    **of_source
        ``magnification``, ``voxel_size`` and the other settings of a `Source`, for `image`.

    Returns
    -------
    ModelEvaluation
        Its boxes; `napari_aitrain.evaluation.figures` makes figures with intervals of them.

    Raises
    ------
    AitrainError
        Whatever stands against the start or made it fail.
    """
    found = model if isinstance(model, Model) else find_model(model)
    folder = Path(out) if out is not None else default_folder(f"{found.card.name} evaluation")
    refuse_filled(folder)
    ways = [given for given in (image, sources, job) if given is not None]
    if len(ways) > 1:
        raise ConfigError("several of image, sources and job are given", "one of them", "leave out the others")
    if image is not None or labels is not None:
        chosen = config_from(image, labels, boxes, folder, of_source).sources
    elif sources is not None:
        chosen = tuple(sources)
    else:
        chosen = own_sources(found.card) if job is None else job_sources(JobFolder.open(Path(job)))
    given = {"sources": chosen, "roles": roles, "role": role, "device": device}
    asked = {key: value for key, value in given.items() if value is not None}
    config = checked(EvaluateConfig, {"name": found.card.name, "model": found.folder, **asked}, "evaluate_model()")
    made = JobFolder.create_evaluation(config, folder)
    worker = Worker(made)
    try:
        for event in made.follow(alive=lambda: worker.alive):
            if on_event is not None:
                on_event(event)
    except KeyboardInterrupt:
        worker.stop()
        raise
    worker.process.wait()
    summary = summarise(made)
    if "failed" in summary:
        raise as_error(summary["failed"])
    if not made.evaluation.is_file():
        raise JobError(
            f"the worker of {made.name} has gone; the job is {summary['state']}",
            "a worker that runs to the end",
            f"see {made.log}, and go on with `napari-aitrain jobs resume {made.path}`",
        )
    evaluation = read_evaluation(made.path)
    if report is not None:
        write_model_report(evaluation, Path(report).with_suffix(".html"))
    return evaluation
