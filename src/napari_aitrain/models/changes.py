"""What people change about models in the store: names, tags, comments, what is active, and what is put away."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ModelError, OutputExistsError
from ..volumes.atomic import move_into_place, storage_errors
from .state import read_state, write_state
from .store import find_version
from .store_lock import changing
from .trash import missing, next_number
from .versions import Version, current_name, safe_name, split_reference, store_folder, version_folders, versions_of

MOST_TAGS, LONGEST_TAG, LONGEST_COMMENT = 50, 60, 10_000


def rename_model(reference: str, name: str) -> list[Version]:
    """Give a model another name; jobs that know it by its old one still find it.

    Parameters
    ----------
    reference : str
        ``NAME`` for all versions, or ``NAME/vN``, which becomes the next version of the other name.
    name : str
        The new one.

    Raises
    ------
    ModelError
        If the store has no such model.
    OutputExistsError
        If all versions would go where there is another model.
    StorageError
        If it cannot be renamed.
    """
    old, number = split_reference(reference)
    store, new = store_folder(), safe_name(name)
    with changing(store):
        old = current_name(old)
        if not version_folders(store / old):
            raise missing(reference)
        if number is not None:
            return [_move_version(find_version(reference), new)]
        target = store / new
        if target.exists() and not target.samefile(store / old):
            raise OutputExistsError(
                f"there is a model {new} already",
                "a name that is not used yet",
                f"choose another, or move single versions into it: napari-aitrain models rename {old}/v1 {new}",
            )
        with storage_errors(target):
            move_into_place(store / old, target)
        if old != new:
            state = read_state(target)
            names = tuple(dict.fromkeys(n for n in (*state.formerly, old) if n != new))
            write_state(target, state.model_copy(update={"formerly": names}))
        _forget_name(new)
    return versions_of(new)


def tag_model(reference: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Version:
    """Add and remove tags of a version.

    Raises
    ------
    ModelError
        If the store has no such version, or a tag is empty or too long.
    """
    wanted = [_tag(tag) for tag in add]
    gone = {tag.strip() for tag in remove}
    with changing(store_folder()):
        version = find_version(reference)
        tags = tuple(tag for tag in dict.fromkeys([*version.state.tags, *wanted]) if tag not in gone)
        if len(tags) > MOST_TAGS:
            raise ModelError(f"{len(tags)} tags are too many", f"at most {MOST_TAGS}", "remove some")
        return _say(version, tags=tags)


def comment_model(reference: str, text: str) -> Version:
    """Put a comment in the place of that on the card; an empty one brings the card's back.

    Raises
    ------
    ModelError
        If the store has no such version, or the text is too long.
    """
    if len(text) > LONGEST_COMMENT:
        raise ModelError(f"the comment has {len(text):,} letters", f"at most {LONGEST_COMMENT:,}", "shorten it")
    with changing(store_folder()):
        return _say(find_version(reference), comments=text.strip() or None)


def archive_model(reference: str, archived: bool = True) -> list[Version]:
    """Put ``NAME/vN``, or all versions of ``NAME``, away, or bring them back; they stay where they are.

    Archived versions are not offered, and a name alone does not mean them.

    Raises
    ------
    ModelError
        If the store has no such model.
    """
    name, number = split_reference(reference)
    with changing(store_folder()):
        name = current_name(name)
        wanted = [version for version in versions_of(name) if number in (None, version.number)]
        if not wanted:
            raise missing(reference)
        folder = wanted[0].folder.parent
        state = read_state(folder)
        for version in wanted:
            state = state.having(version.number, archived=archived)
            if archived and state.active == version.number:
                state = state.model_copy(update={"active": None})
        write_state(folder, state)
    numbers = {version.number for version in wanted}
    return [version for version in versions_of(name) if version.number in numbers]


def activate_model(reference: str) -> Version:
    """Make a version the one that its name alone means; an archived one is brought back.

    Raises
    ------
    ModelError
        If the store has no such version.
    """
    with changing(store_folder()):
        version = find_version(reference)
        folder = version.folder.parent
        state = read_state(folder).having(version.number, archived=False)
        write_state(folder, state.model_copy(update={"active": version.number}))
        return _again(version)


def choose_active(name: str, number: int | None) -> None:
    """Have a name mean a version; None for the newest that is not archived.

    Raises
    ------
    ModelError
        If the store has no such version.
    """
    if number is not None:
        activate_model(f"{name}/v{number}")
        return
    with changing(store_folder()):
        folder = store_folder() / current_name(name)
        if not version_folders(folder):
            raise missing(name)
        write_state(folder, read_state(folder).model_copy(update={"active": None}))


def _say(version: Version, **changed: object) -> Version:
    folder = version.folder.parent
    write_state(folder, read_state(folder).having(version.number, **changed))
    return _again(version)


def _again(version: Version) -> Version:
    return next(v for v in versions_of(version.name) if v.number == version.number)


def _tag(tag: str) -> str:
    clean = " ".join(tag.split())
    if not clean or len(clean) > LONGEST_TAG or "," in clean:
        raise ModelError(f"{tag!r} is no tag", f"1 to {LONGEST_TAG} letters without a comma", "choose another")
    return clean


def _move_version(version: Version, new: str) -> Version:
    """Make a version the next one of another name; the store is held."""
    if version.name == new:
        return version
    old, folder = version.folder.parent, store_folder() / new
    number, state = next_number(new), read_state(old)
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
        move_into_place(version.folder, folder / f"v{number}")
    there = read_state(folder).model_copy(update={"last": number})
    write_state(folder, there.having(number, **dict(version.state)))
    write_state(old, state.without(version.number))
    return next(v for v in versions_of(new) if v.number == number)


def _forget_name(name: str) -> None:
    """Have no other model answer to a name that one has now; the store is held."""
    for folder in store_folder().iterdir():
        if folder.name == name or folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            state = read_state(folder)
        except ModelError:
            continue
        if name in state.formerly:
            names = tuple(n for n in state.formerly if n != name)
            write_state(folder, state.model_copy(update={"formerly": names}))
