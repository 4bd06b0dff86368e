"""Models come into the store as the next version of a name."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..volumes.atomic import beside, move_into_place, storage_errors, sync_tree
from .folder import load_model, save_model
from .model import Model
from .state import VersionState, read_state, write_state
from .store_lock import changing
from .trash import next_number
from .versions import current_name, safe_name, store_folder


@dataclass
class Arriving:
    """A model on its way into the store.

    Attributes
    ----------
    folder : Path
        To be filled; it does not exist yet.
    placed : Path
        Where it lies in the end.
    """

    folder: Path
    placed: Path


@contextlib.contextmanager
def arriving(name: str, state: VersionState | None = None) -> Iterator[Arriving]:
    """Fill a folder that becomes the next version of a name once the block has ended without an error.

    The store is held only for the moment in which it gets its number, so that copying takes as long as it must.

    Parameters
    ----------
    name : str
        Of the model; made safe, and that of today if it was renamed.
    state : VersionState, optional
        What is said of it.

    Raises
    ------
    ModelError
        If the store is held by somebody else for too long.
    StorageError
        If it cannot be written.
    """
    store = store_folder()
    name = current_name(safe_name(name))
    temporary = beside(store / name)
    with storage_errors(store):
        store.mkdir(parents=True, exist_ok=True)
    one = Arriving(temporary, store / name)
    try:
        yield one
        with changing(store):
            name = current_name(name)
            number = next_number(name)
            one.placed = store / name / f"v{number}"
            with storage_errors(one.placed):
                sync_tree(temporary)
                one.placed.parent.mkdir(exist_ok=True)
                move_into_place(temporary, one.placed)
            before = read_state(one.placed.parent).model_copy(update={"last": number})
            write_state(one.placed.parent, before.having(number, **dict(state or VersionState())))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def import_model(path: Path, name: str | None = None, dims: Literal[2, 3] | None = None) -> Model:
    """Copy a model into the store as the next version of its name.

    Parameters
    ----------
    path : Path
        A model folder, the folder of a job with a model, or a file of weights of Cellpose 4.
    name : str, optional
        In the store; the model's own if not given.
    dims : {2, 3}, optional
        For Cellpose's network, which sees slices: 3 follows objects through a volume.

    Raises
    ------
    ModelError
        If it is damaged, or its network is made for other dims.
    StorageError
        If it cannot be written.
    """
    model = load_model(path)
    if dims is not None:
        model = model.in_dims(dims)
    name = name or model.card.name
    with arriving(name) as one:
        if model.folder.is_file() or dims is not None:
            save_model(one.folder, model.card.model_copy(update={"name": safe_name(name)}), model.state_dict())
        else:
            with storage_errors(one.folder):
                shutil.copytree(model.folder, one.folder)
    return Model(one.placed, load_model(one.placed).card)
