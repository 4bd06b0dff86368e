"""What `evaluate MODEL` does: a job that evaluates a model on boxes, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .output import Output

if TYPE_CHECKING:
    from ..jobs import EvaluateConfig, JobFolder


def config_of(
    model: str,
    *,
    sources: Path | None,
    job: str | None,
    images: Sequence[str] | None,
    labels: Sequence[str] | None,
    boxes: Sequence[Path] | None,
    of_source: dict[str, Any],
    settings: dict[str, Any],
) -> EvaluateConfig:
    """Return the config of an evaluation.

    Parameters
    ----------
    model : str
        A folder or a name.
    sources, job, images : optional
        On what: one of them, or none for the boxes of the model itself.
    labels, boxes : sequence, optional
        With `images`.
    of_source, settings : dict
        Options by the names of their settings; None was not given.

    Raises
    ------
    ConfigError
        If they do not go together.
    AitrainError
        If there is no such model or job.
    """
    from ..jobs import EvaluateConfig
    from ..jobs.evaluate_config import read_sources
    from ..jobs.evaluate_given import job_sources, own_sources
    from ..models import find_model
    from .jobs import find_job
    from .options import make_config

    ways = [name for name, given in (("--sources", sources), ("--job", job), ("--image", images or labels)) if given]
    if len(ways) > 1:
        raise ConfigError(f"both {ways[0]} and {ways[1]} are given", "one of them", "leave one of them out")
    found = find_model(model)
    if sources is not None:
        chosen = read_sources(sources)
    elif job is not None:
        chosen = job_sources(find_job(job))
    elif ways:
        chosen = make_config(None, images, labels, boxes, of_source=of_source, of_training={}).sources
    else:
        chosen = own_sources(found.card)
    given = {key: value for key, value in settings.items() if value is not None}
    return EvaluateConfig(model=found.folder, name=found.card.name, sources=chosen, **given)


def run_evaluation(
    config: EvaluateConfig, out: Path | None, report: Path | None, output: Output, *, at_once: bool
) -> None:
    """Run an evaluation in a worker, follow it, and write its report."""
    from ..evaluation.box_results import read_evaluation
    from ..evaluation.model_report import write_model_report
    from ..jobs import JobFolder, default_folder
    from . import running

    job = JobFolder.create_evaluation(config, out or default_folder(f"{config.name} evaluation"))
    running.follow_to_end(job, output, at_once=at_once)
    written: list[Path] = []
    if report is not None and job.evaluation.is_file():
        written = write_model_report(read_evaluation(job.path), report.with_suffix(".html"))
        output.say(f"Report: {written[0]}")
    running.finish(job, output, more={"report": [str(path) for path in written]} if written else {})


def tell_evaluation(job: JobFolder, output: Output) -> dict[str, Any]:
    """Say what an evaluation found as a table, and return it as plain data."""
    from rich.table import Table

    from ..evaluation.box_results import read_evaluation
    from ..evaluation.figures import best_threshold, figures, shown_figures, trust
    from ..evaluation.model_report import spoken
    from .evaluate import WORDS

    found = read_evaluation(job.path)
    columns = {role: figures(found.of_role(role)) for role in found.roles}
    names = [name for name in shown_figures(found.model) if any(name in column for column in columns.values())]
    table = Table("figure", *(f"{role} ({len(found.of_role(role))})" for role in columns), box=None)
    for name in names:
        cells = (spoken(column.get(name), name) for column in columns.values())
        table.add_row(
            WORDS.get(name, name), *(f"{value} ({between})" if between else value for value, between in cells)
        )
    if not output.as_json:
        output.console.print(table)
        output.say("In brackets: 95 % interval by bootstrap over boxes.", "dim")
    best = best_threshold(found)
    if best is not None:
        output.say(f"Threshold: {found.model.threshold:.3f} is locked in; {best:.3f} is best on validation.")
    roles: dict[str, Any] = {}
    for role, column in columns.items():
        roles[role] = {name: {"value": one.value, "interval": one.interval} for name, one in column.items()}
        scores = trust(found, role)
        if scores is not None:
            roles[role] |= {"ece": scores.error, "auroc": scores.auroc, "auroc_75": scores.auroc_close}
    return {
        "roles": roles,
        "threshold": found.model.threshold,
        "best_threshold": best,
        "warnings": [caution.model_dump() for caution in found.warnings],
    }
