"""The config of a training as a YAML file, and what is said of one that is wrong."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ..annotation.boxes import Box
from ..errors import AitrainError, ConfigError
from ..location import absolute
from .config import AUTO, CONFIG_VERSION, SCRATCH, Source, TrainConfig

_SEE = "see docs/configuration.md for every setting with an example"


def parse_config(data: object, where: str = "the config") -> TrainConfig:
    """Check plain data against `TrainConfig`.

    Raises
    ------
    ConfigError
        If a key is unknown (the nearest known one is named) or a value is not allowed.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is not a set of settings", "lines such as 'task: instances'", _SEE)
    if isinstance(data.get("version"), int) and data["version"] > CONFIG_VERSION:
        raise ConfigError(
            f"{where} was written by a newer version (format {data['version']})",
            f"format {CONFIG_VERSION} or older",
            "update napari-aitrain",
        )
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as error:
        raise _explain(error, where) from error


def read_config(path: Path) -> TrainConfig:
    """Read a YAML config; paths in it are relative to its folder.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or has an unknown key or value.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", "a YAML file with settings", "check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}", "a YAML file with settings", _SEE) from error
    config = parse_config(data, str(path))
    base = Path(path).resolve().parent
    sources = [
        s.model_copy(
            update={
                "image": absolute(s.image, base),
                "labels": absolute(s.labels, base),
                "object_classes": None if s.object_classes is None else absolute(s.object_classes, base),
            }
        )
        for s in config.sources
    ]
    update: dict[str, Any] = {"sources": tuple(sources)}
    if config.start_from not in (AUTO, SCRATCH) and (base / config.start_from).exists():
        update["start_from"] = str(base / config.start_from)
    if config.task.endswith(".py"):
        update["task"] = str(base / config.task)
    if config.then_predict is not None:
        update["then_predict"] = absolute(config.then_predict, base)
    if config.then_out is not None:
        update["then_out"] = base / config.then_out
    return config.model_copy(update=update)


def config_to_yaml(config: TrainConfig) -> str:
    """Return the config as YAML that `read_config` reads."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def known_keys(model: type[BaseModel] = TrainConfig) -> list[str]:
    """Return the names of the settings of a config model."""
    return list(model.model_fields)


def _explain(error: ValidationError, where: str) -> ConfigError:
    # A misspelt key is also a missing one; the misspelling is what helps.
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        parent = str(first["loc"][0])
        model: type[BaseModel] = Source if parent == "sources" and len(first["loc"]) > 1 else TrainConfig
        if "boxes" in first["loc"][:-1]:
            model = Box
        near = difflib.get_close_matches(key, known_keys(model), n=1, cutoff=0.0)
        return ConfigError(
            f"{where}: unknown setting {path!r}",
            "one of " + ", ".join(known_keys(model)),
            f"did you mean {near[0]!r}?",
        )
    told = first.get("ctx", {}).get("error")
    if isinstance(told, AitrainError):
        return ConfigError(f"{where}: {path}: {told.what}", told.expected, told.remedy)
    return ConfigError(
        f"{where}: {path} is {first['input']!r}: {first['msg']}",
        (TrainConfig.model_fields[path].description or "an allowed value")
        if path in TrainConfig.model_fields
        else "an allowed value",
        _SEE,
    )
