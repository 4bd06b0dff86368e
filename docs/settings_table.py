"""Write the tables of settings in configuration.md from the code and from the example.

Run ``python docs/settings_table.py`` after a change of either; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.annotation.policy import Policy
from napari_aitrain.tasks import get_task, task_names
from napari_aitrain.training.config import Source, TrainConfig

HERE = Path(__file__).parent
PAGE = HERE / "configuration.md"
BEGIN, END = "<!-- settings: made by docs/settings_table.py -->", "<!-- end of settings -->"


def table(model: type[BaseModel], example: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table of a config model's settings."""
    described = described_parameters(model)
    yield "| setting | what it is | if left out | example |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        what = (field.description or described[name]) + choices(field.annotation)
        default = "needed" if field.is_required() else code(field.get_default(call_default_factory=True))
        shown = code(example[name]) if name in example else ""
        yield f"| `{name}` | {what} | {default} | {shown} |"


def choices(annotation: Any) -> str:
    """Return the words that a setting can be, as a sentence; nothing where it is free."""
    if get_origin(annotation) is Literal:
        return f" One of: {', '.join(map(str, get_args(annotation)))}."
    return "".join(choices(part) for part in get_args(annotation))


def described_parameters(model: type[BaseModel]) -> dict[str, str]:
    """Return what the numpydoc section on parameters says of each."""
    found: dict[str, str] = {}
    for names, text in re.findall(r"^    ([\w, ]+) : .*\n((?:^ {8}.*\n?)+)", model.__doc__ or "", re.MULTILINE):
        for name in names.split(", "):
            found[name] = " ".join(text.split())
    return found


def code(value: Any) -> str:
    """Return a value as it is written in YAML, in one line."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        return "below"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if value not in (None, (), {}) else "–"


def tables() -> str:
    """Return the whole part between the marks."""
    example = yaml.safe_load((HERE / "snippets" / "job.yaml").read_text(encoding="utf-8"))
    source = example["sources"][0]
    parts = [
        ("Settings of a training", table(TrainConfig, example)),
        ("Rules, under `policy` and in policy files", table(Policy, example["policy"])),
        ("Settings of a source, under `sources`", table(Source, source)),
        ("Settings of a box, under `boxes`", table(Box, source["boxes"][0])),
    ]
    for name in task_names():
        settings = get_task(name).Settings
        values = settings().model_dump() | (example["task_settings"] if example["task"] == name else {})
        parts.append((f"Settings of the task {name}, under `task_settings`", table(settings, values)))
    return "\n\n".join(f"## {title}\n\n" + "\n".join(lines) for title, lines in parts)


def page_with_tables(page: str) -> str:
    """Return the page with its tables made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
