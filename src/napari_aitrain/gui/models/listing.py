"""What there is to be listed: versions of the store, models of jobs, and starter models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import ModelError
from ...models import ModelCard, list_versions, read_card, starter_folder, starter_names
from ...models.folder import CARD
from ...models.model import REMOTE

Origin = Literal["store", "job", "starter"]


@dataclass(frozen=True)
class Listed:
    """A model in the list.

    Parameters
    ----------
    folder : Path
        Tells it from others.
    origin : {'store', 'job', 'starter'}
        Where it lies.
    name : str
        As people know it.
    number : int or None
        Of a version in the store.
    card : ModelCard or None
        None where it cannot be read; `trouble` says why.
    active, archived : bool
        Of a version in the store.
    tags : tuple of str
        Of a version in the store.
    comments : str
        In place of the card's, if any.
    remote : bool
        Whether it runs on a server.
    trouble : str
        What is wrong with it.
    """

    folder: Path
    origin: Origin
    name: str
    number: int | None = None
    card: ModelCard | None = None
    active: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()
    comments: str = ""
    remote: bool = False
    trouble: str = ""

    @property
    def reference(self) -> str:
        """What commands take: ``NAME/vN``, or the folder."""
        return f"{self.name}/v{self.number}" if self.number is not None else str(self.folder)

    @property
    def label(self) -> str:
        """What people read."""
        return self.name if self.number is None else f"{self.name} v{self.number}"

    def score(self, role: str) -> float | None:
        """Return the score on boxes of a role, as it stands on the card."""
        found = {} if self.card is None else self.card.metrics.get(role)
        value = found.get("score", found.get("ap_mean")) if isinstance(found, dict) else None
        return float(value) if isinstance(value, (int, float)) else None

    @property
    def boxes(self) -> int | None:
        """How many boxes it was trained with; None where the card says nothing."""
        sources = () if self.card is None else self.card.data.sources
        return sum(len(source.boxes) for source in sources) if sources else None

    def matches(self, text: str) -> bool:
        """Whether every word is somewhere in name, tags, task and comments."""
        task = "" if self.card is None else self.card.task
        where = " ".join((self.label, *self.tags, task, self.comments)).casefold()
        return all(word in where for word in text.casefold().split())


def list_all(jobs: Iterable[tuple[str, Path]]) -> list[Listed]:
    """Return the store by name and version, then models of jobs, then starter models; cards are read.

    Parameters
    ----------
    jobs : iterable of (str, Path)
        Names of trainings, and the folders of their models.
    """
    return [*_stored(), *_of_jobs(jobs), *_starters()]


def _stored() -> Iterator[Listed]:
    for version in list_versions():
        card, trouble = _card(version.folder)
        comments = version.state.comments or ("" if card is None else card.comments)
        yield Listed(
            version.folder, "store", version.name, version.number, card, version.active, version.state.archived,
            version.state.tags, comments, (version.folder / REMOTE).is_file(), trouble,
        )  # fmt: skip


def _of_jobs(jobs: Iterable[tuple[str, Path]]) -> Iterator[Listed]:
    for name, folder in jobs:
        if (folder / CARD).is_file():
            yield _beside("job", name, folder)


def _starters() -> Iterator[Listed]:
    for name in starter_names():
        yield _beside("starter", name, starter_folder(name))


def _beside(origin: Origin, name: str, folder: Path) -> Listed:
    card, trouble = _card(folder)
    comments = "" if card is None else card.comments
    return Listed(folder, origin, name, None, card, comments=comments, trouble=trouble)


def _card(folder: Path) -> tuple[ModelCard | None, str]:
    try:
        return read_card(folder), ""
    except ModelError as error:
        return None, f"{error.what}. {error.remedy}."
