"""The config of an evaluation job, and its YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from .. import location as locations
from ..annotation.boxes import Role, Status
from ..errors import ConfigError
from ..evaluation.box_results import ROLES
from ..models import locate_model
from ..training.config import Source
from .predict_config import checked, read_yaml

EVALUATION_KIND: Literal["evaluation"] = "evaluation"


class EvaluateConfig(BaseModel):
    """Everything that the evaluation of a model needs to run again."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: Annotated[Literal["evaluation"], Field(description="Tells it from a training.")] = EVALUATION_KIND
    version: Annotated[int, Field(ge=1, le=1, description="Version of this file's format.")] = 1
    name: Annotated[str, Field(min_length=1, description="Name of the job.")] = "evaluation"
    model: Annotated[Path, Field(description="Folder of a model or of a job with one, or the name of a model.")]
    sources: Annotated[tuple[Source, ...], Field(description="Images with ground truth and boxes.")]
    roles: Annotated[tuple[Role, ...], Field(min_length=1, description="Boxes of which roles are looked at.")] = ROLES
    role: Annotated[
        Role | None,
        Field(description="The role of all boxes in place of their own; images without boxes are test if not given."),
    ] = None
    statuses: Annotated[tuple[Status, ...], Field(description="Boxes of which statuses; rejected ones never.")] = (
        "in progress",
        "done",
        "reviewed",
    )
    class_names: Annotated[
        dict[Annotated[int, Field(ge=0)], str], Field(description="Names of classes in the ground truth, by id.")
    ] = {}
    device: Annotated[str, Field(description="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(description="auto: bfloat16 where the processor or GPU computes in it."),
    ] = "auto"
    threads: Annotated[int | None, Field(ge=1, description="Processor threads; none means one per core.")] = None


def read_evaluate_config(path: Path) -> EvaluateConfig:
    """Read a YAML config; paths in it are relative to its folder.

    Raises
    ------
    ConfigError
        If it cannot be read or is none.
    """
    config = checked(EvaluateConfig, read_yaml(path), str(path))
    return absolute_evaluation(config, Path(path).resolve().parent)


def absolute_evaluation(config: EvaluateConfig, base: Path | None = None) -> EvaluateConfig:
    """Return the config with absolute paths; relative ones are taken from `base`, or from here."""
    base = Path.cwd() if base is None else base
    sources = tuple(absolute_source(source, base) for source in config.sources)
    model = locate_model(config.model, base) or base / config.model
    return config.model_copy(update={"model": base / model, "sources": sources})


def absolute_source(source: Source, base: Path) -> Source:
    """Return a source with absolute paths."""
    update = {name: locations.absolute(getattr(source, name), base) for name in ("image", "labels")}
    return source.model_copy(update=update)


def evaluate_config_to_yaml(config: EvaluateConfig) -> str:
    """Return the config as YAML that `read_evaluate_config` reads."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def read_sources(path: Path) -> tuple[Source, ...]:
    """Read the sources of a YAML file: those of a training or of an evaluation, or a list of them alone.

    Raises
    ------
    ConfigError
        If there are none, or one is not right.
    """
    data: Any = read_yaml(path)
    rows = data.get("sources") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise ConfigError(
            f"{path} names no sources",
            "a YAML file with a list of sources, such as the job.yaml of a training",
            "write image, labels and boxes of each, see the page on configuration",
        )
    found = [checked(Source, row, f"{path}: source {number}") for number, row in enumerate(rows, start=1)]
    return tuple(absolute_source(source, Path(path).resolve().parent) for source in found)
