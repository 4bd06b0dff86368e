"""The queue of suggestions: what is open, done or skipped, and what the model said there; kept at every step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigError
from ..geometry import Region, Triple
from ..tasks.protocol import BoolArray, LabelArray
from ..volumes.atomic import atomic_file, atomic_write_text, storage_errors
from .judged import error_at
from .retraining import RetrainPolicy
from .settings import Kind, SuggestSettings
from .verdict import Verdict, judge

VERSION = 1
FILE, PLACES = "queue.json", "places"
State = Literal["open", "done", "skipped"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Suggestion(_Strict):
    """A place to label next."""

    id: str = Field(default_factory=lambda: uuid4().hex[:12])
    image: Annotated[str, Field(description="Path of the image, or name of its layer.")]
    frame: Annotated[tuple[int, ...], Field(description="Index along the axes before z, y and x.")] = ()
    start: Triple
    stop: Triple
    kind: Annotated[Kind, Field(description="Whether uncertainty or chance has chosen it.")]
    score: Annotated[float, Field(description="Mean uncertainty, 0 … 1.")]
    rank: Annotated[float, Field(description="Share of all places at which the model is less unsure, 0 … 1.")] = 0.0
    measure: Annotated[str, Field(description="How uncertainty was measured.")] = "margin"
    model: Annotated[str, Field(description="Name and version of the model.")] = ""
    fingerprint: Annotated[str, Field(description="Of the model.")] = ""
    instances: Annotated[bool, Field(description="Whether the model finds objects or classes.")] = True
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    state: State = "open"
    box: Annotated[str, Field(description="The box that was proposed for it; none before it was gone to.")] = ""
    error: Annotated[
        float | None, Field(description="Share of voxels that the model had wrong there, once it is labelled.")
    ] = None

    @property
    def region(self) -> Region:
        """In voxels of the image."""
        return Region(self.start, self.stop)


class QueueState(_Strict):
    """``queue.json``."""

    version: int = VERSION
    settings: SuggestSettings = SuggestSettings()
    model: Annotated[str, Field(description="Folder of the model that was asked last.")] = ""
    policy: RetrainPolicy = RetrainPolicy()
    trained_with: Annotated[int, Field(description="Annotations that there were when a training last began.")] = 0
    suggestions: tuple[Suggestion, ...] = ()


class SuggestionQueue:
    """Suggestions of one project, or of one queue folder of the command line.

    Parameters
    ----------
    folder : Path
        With ``queue.json``, and what the model said at each place; made when there is something to keep.

    Raises
    ------
    ConfigError
        If what is there is damaged, or from a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = _read(folder / FILE)

    @property
    def all(self) -> tuple[Suggestion, ...]:
        """Every suggestion, in the order in which they are to be labelled."""
        return self.state.suggestions

    def open(self) -> list[Suggestion]:
        """Return those that are neither done nor skipped."""
        return [one for one in self.all if one.state == "open"]

    def find(self, key: str) -> Suggestion | None:
        """Return a suggestion by id."""
        return next((one for one in self.all if one.id == key), None)

    def count(self, state: State) -> int:
        """Return how many are in a state."""
        return sum(one.state == state for one in self.all)

    def replace_open(self, new: Sequence[Suggestion], labels: Sequence[LabelArray]) -> None:
        """Put new suggestions in the place of those that nobody has begun; done and skipped ones stay.

        Parameters
        ----------
        new : sequence of Suggestion
            Of the newest model.
        labels : sequence of ndarray of int32, shape (z, y, x)
            What the model shows there, on the voxels of the image.
        """
        begun = [one for one in self.all if one.state != "open" or one.box]
        places = self.folder / PLACES
        with storage_errors(places):
            places.mkdir(parents=True, exist_ok=True)
        for one, shown in zip(new, labels, strict=True):
            with atomic_file(places / f"{one.id}.npz") as file:
                np.savez_compressed(file, labels=shown)
        gone = {one.id for one in self.all} - {one.id for one in begun}
        self._keep(suggestions=(*begun, *new))
        for key in gone:
            (places / f"{key}.npz").unlink(missing_ok=True)

    def update(self, key: str, **changes: Any) -> Suggestion:
        """Change a suggestion, such as its state; return it."""
        changed = {one.id: one.model_copy(update=changes) if one.id == key else one for one in self.all}
        self._keep(suggestions=tuple(changed.values()))
        return changed[key]

    def set(self, **changes: Any) -> None:
        """Change settings, the policy, or what was trained with."""
        self._keep(**changes)

    def shown(self, key: str) -> LabelArray | None:
        """Return what the model showed at a place; None if that is not kept any more."""
        try:
            with np.load(self.folder / PLACES / f"{key}.npz", allow_pickle=False) as arrays:
                labels: LabelArray = arrays["labels"]
        except (OSError, KeyError, ValueError):
            return None
        return labels

    def finish(self, key: str, truth: LabelArray, known: BoolArray) -> Suggestion:
        """Take a place for labelled, and note how wrong the model was there.

        Parameters
        ----------
        key : str
            Of the suggestion.
        truth : ndarray of int32, shape (z, y, x)
            The ground truth of its region, on the voxels of the image.
        known : ndarray of bool
            Where that is labelled.
        """
        one, shown = self.find(key), self.shown(key)
        assert one is not None
        error = None
        if shown is not None and shown.shape == truth.shape and known.any():
            error = error_at(shown, truth, known, one.instances)
        return self.update(key, state="done", error=error)

    def verdict(self) -> Verdict:
        """Return whether suggestions pay, by what was labelled so far."""
        errors = {
            kind: [one.error for one in self.all if one.kind == kind and one.state == "done" and one.error is not None]
            for kind in ("uncertain", "random")
        }
        return judge(errors["uncertain"], errors["random"])

    def skipped(self, image: str, frame: Sequence[int] = ()) -> list[Region]:
        """Return the regions of an image that a person does not want to be asked again."""
        return [one.region for one in self._of(image, frame) if one.state == "skipped"]

    def labelled(self, image: str, frame: Sequence[int] = ()) -> list[Region]:
        """Return the regions of an image that are done, or begun."""
        return [
            one.region for one in self._of(image, frame) if one.state == "done" or (one.state == "open" and one.box)
        ]

    def _of(self, image: str, frame: Sequence[int]) -> Iterable[Suggestion]:
        return (one for one in self.all if one.image == image and one.frame == tuple(frame))

    def _keep(self, **changes: Any) -> None:
        state = self.state.model_copy(update=changes)
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        atomic_write_text(self.folder / FILE, state.model_dump_json(indent=1) + "\n")
        self.state = state


def _read(path: Path) -> QueueState:
    try:
        text = path.read_text(encoding="utf-8")
        version = json.loads(text).get("version", 0)
        if version > VERSION:
            raise ConfigError(
                f"{path} was written by a newer version (format {version})",
                f"format {VERSION}",
                "update napari-aitrain",
            )
        return QueueState.model_validate_json(text)
    except FileNotFoundError:
        return QueueState()
    except NotADirectoryError as error:
        raise ConfigError(
            f"{path.parent} is a file", "a folder, or a new name for one", "choose another one"
        ) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, AttributeError, TypeError, ValidationError) as error:
        raise ConfigError(
            f"{path} is damaged: {str(error).splitlines()[0]}",
            "the queue of suggestions as it was written",
            "move the file away; places are then suggested anew, and what was labelled stays in the ground truth",
        ) from error
