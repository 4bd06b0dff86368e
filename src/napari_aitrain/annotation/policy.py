"""The policy of a lab for its training sets: how much is enough, and which findings block the start."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from ..errors import ConfigError
from ..home import home
from ..volumes.atomic import atomic_write_text, storage_errors
from .findings import Finding, in_order
from .rule_list import RULES
from .rules import ENOUGH_ANNOTATIONS, MINIMUM_EXTENT

Wanted = Literal["error", "warning", "off"]
POLICY = "policy.yaml"
_HEAD = "# Rules for training sets of napari-aitrain; what is left out is as usual.\n"


class Policy(BaseModel):
    """The rules that a lab may set for itself; the defaults are those of the program."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    minimum_extent: Annotated[
        int, Field(ge=1, le=4096, description="Voxels that a box should have along each axis, as it is trained.")
    ] = MINIMUM_EXTENT
    enough_annotations: Annotated[
        int,
        Field(ge=0, description="More annotated objects than this are wanted in boxes that are done or reviewed."),
    ] = ENOUGH_ANNOTATIONS
    enough_per_class: Annotated[
        int | None,
        Field(ge=1, description="Annotations wanted of each class, 40 to 50 for a first training; none asks no one."),
    ] = None
    levels: Annotated[
        dict[str, Wanted],
        Field(description="What findings do, by their code: error blocks the start, warning does not, off says none."),
    ] = {}
    alone: Annotated[
        bool, Field(description="Whether policies of the project and the user do not count beside it.")
    ] = False

    @field_validator("levels", mode="before")
    @classmethod
    def _off_in_yaml(cls, value: object) -> object:
        # YAML takes the bare word off for false.
        return {k: "off" if v is False else v for k, v in value.items()} if isinstance(value, dict) else value

    @field_validator("levels")
    @classmethod
    def _known_codes(cls, value: dict[str, Wanted]) -> dict[str, Wanted]:
        for code, level in value.items():
            rule = RULES.get(code)
            if rule is None:
                near = difflib.get_close_matches(code, RULES, n=1)
                raise ValueError(f"no rule is called {code!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
            if level not in rule.may_be:
                raise ValueError(f"{code} may be {' or '.join(rule.may_be)}: {rule.needed}")
        return value

    @model_serializer(mode="wrap")
    def _what_is_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What it does not say other policies may.
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}

    def graded(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return findings as this policy takes them: errors first, and without those that it turns off."""
        wanted = [(one, self.levels.get(one.code, one.level)) for one in findings]
        return in_order([replace(one, level=level) for one, level in wanted if level != "off"])

    def over(self, other: Policy) -> Policy:
        """Return another policy with what this one says in the place of what that one says."""
        said, under = self.model_dump(), other.model_dump()
        levels = {**under.get("levels", {}), **said.get("levels", {})}
        return Policy.model_validate({**under, **said, **({"levels": levels} if levels else {})})


def parse_policy(data: object, where: str) -> Policy:
    """Check plain data against `Policy`.

    Raises
    ------
    ConfigError
        If a rule or a value is not known, or may not be what it says.
    """
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "it"
        field = Policy.model_fields.get(str(first["loc"][0])) if first["loc"] else None
        raise ConfigError(
            f"{where}: {key}: {first['msg'].removeprefix('Value error, ')}",
            (field.description if field else None) or "one of " + ", ".join(Policy.model_fields),
            "see Rules on the page of settings for every one; an empty file means the usual rules",
        ) from error


def read_policy(path: Path) -> Policy:
    """Read a policy file; where there is none, all is as usual.

    Raises
    ------
    ConfigError
        If it cannot be read, or says what is not known.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Policy()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "a YAML file with rules", "mend or remove it") from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}", "a YAML file with rules", "mend or remove it") from error
    return parse_policy({} if data is None else data, str(path))


def write_policy(path: Path, policy: Policy) -> None:
    """Write a policy file that says only what differs from the usual.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    said = policy.model_dump(mode="json", exclude_defaults=True)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True) if said else ""
    atomic_write_text(path, _HEAD + text)


def user_policy() -> Path:
    """Return where the policy of this user is kept."""
    return home() / POLICY


def project_policy(labels: Iterable[Any]) -> Path | None:
    """Return where the policy of the project is kept that ground truth lies in; None where it is in none.

    Parameters
    ----------
    labels : iterable of Path or Url
        Where ground truth lies; the first that is in a project says which.
    """
    for place in labels:
        if isinstance(place, Path) and (place.parent.parent / "project.json").is_file():
            return place.parent.parent / POLICY
    return None


def effective_policy(own: Policy | None, labels: Iterable[Any] = ()) -> Policy:
    """Return the policy that holds for a training: the user's, over it the project's, over it the training's own.

    Raises
    ------
    ConfigError
        If a file cannot be read.
    """
    if own is not None and own.alone:
        return own
    project = project_policy(labels)
    layers = [read_policy(user_policy()), *([read_policy(project)] if project else []), *([own] if own else [])]
    policy = Policy()
    for layer in layers:
        policy = layer.over(policy)
    return policy


def alone(policy: Policy) -> Policy:
    """Return a policy beside which no file counts."""
    return policy.model_copy(update={"alone": True})
