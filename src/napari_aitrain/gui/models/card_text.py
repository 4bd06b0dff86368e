"""The card of a model as people read it."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import PurePath

from ...models import ModelCard
from ...tasks.script_store import shown_name
from ...words import spoken_time
from .listing import Listed

NOTHING = "Select a model to see what it was trained on and how good it is; select two or more to compare them."


def card_html(row: Listed) -> str:
    """Return the card as a table; what is not known is left out."""
    lines = [f"<h3>{html.escape(row.label)}</h3>"]
    if row.trouble:
        lines.append(f"<p>{html.escape(row.trouble)}</p>")
    if row.comments:
        lines.append("<p>" + "<br>".join(html.escape(row.comments).splitlines()) + "</p>")
    if row.card is not None:
        cells = "".join(
            f"<tr><td><b>{name}</b>&nbsp;&nbsp;</td><td>{html.escape(text)}</td></tr>"
            for name, text in _rows(row, row.card)
            if text
        )
        lines.append(f"<table cellspacing='2'>{cells}</table>")
    return "".join(lines)


def _rows(row: Listed, card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "task", f"{shown_name(card.task)}, {card.dims}-D"
    yield "classes", ", ".join(f"{number} {name}" for number, name in card.class_names.items())
    yield "channels", ", ".join(card.channels)
    if card.voxel_size is not None:
        yield "voxel size", " × ".join(f"{v:g}" for v in reversed(card.voxel_size)) + " nm (x, y, z)"
    yield "magnification", card.magnification if card.magnification != "1" else ""
    yield "threshold", f"{card.threshold:.2f}"
    for role, figures in card.metrics.items():
        if isinstance(figures, dict):
            shown = [f"{key} {value:.3f}" for key, value in figures.items() if isinstance(value, float)][:5]
            yield f"{role} boxes", ", ".join(shown)
    data = card.data
    names = [f"{PurePath(source.image).name} ({len(source.boxes)} boxes)" for source in data.sources]
    yield "images", ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    prints = {source.image_fingerprint[:10] for source in data.sources if source.image_fingerprint}
    yield "fingerprints", ", ".join(sorted(prints)[:6])
    yield "objects", ", ".join(f"{role} {count:,}" for role, count in data.objects.items() if count)
    yield "voxels", ", ".join(f"{role} {count:,}" for role, count in data.voxels.items() if count)
    yield "split", data.split
    yield "warnings", " ".join(data.warnings)
    yield "settings", ", ".join(f"{key} {value}" for key, value in card.task_settings.items())
    yield "trained", f"{card.steps:,} steps, {spoken_time(card.seconds)}, seed {card.seed}" if card.steps else ""
    yield "from", card.parent or ""
    yield "created", f"{card.created.astimezone():%Y-%m-%d %H:%M}"
    yield "packages", ", ".join(f"{name} {version}" for name, version in card.packages.items())
    yield "weights", card.weights_sha256[:16]
    yield "folder", str(row.folder)
