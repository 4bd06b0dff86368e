"""The commands `models rename|tag|comment|archive|restore|delete|trash|activate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .output import Output

if TYPE_CHECKING:
    from ..models import Version

Stored = Annotated[str, typer.Argument(help="NAME (its active version) or NAME/vN in the store.", metavar="MODEL")]
Several = Annotated[
    str, typer.Argument(help="NAME/vN, or NAME for all its versions; only models of the store.", metavar="MODEL")
]


def register(app: typer.Typer) -> None:
    """Add the commands to those of `models`."""
    for command in (rename, tag, comment, activate, archive, restore, delete, trash):
        app.command()(command)


def rename(
    model: Several,
    name: Annotated[str, typer.Argument(help="The new name.")],
    as_json: options.Json = False,
) -> None:
    """Give a model another name; one version alone becomes the next one of that name."""
    from ..models import rename_model

    renamed = rename_model(model, name)
    _tell(Output(as_json), f"Now {', '.join(version.reference for version in renamed)}", renamed)


def tag(
    model: Stored,
    tags: Annotated[list[str] | None, typer.Argument(help="Tags to add.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", "-r", help="A tag to remove; repeatable.")] = None,
    as_json: options.Json = False,
) -> None:
    """Add and remove tags of a version."""
    from ..models import tag_model

    version = tag_model(model, tags or (), remove or ())
    _tell(Output(as_json), f"{version.reference}: {', '.join(version.state.tags) or 'no tags'}", [version])


def comment(
    model: Stored,
    text: Annotated[str, typer.Argument(help="The comment; empty brings back that of the card.")],
    as_json: options.Json = False,
) -> None:
    """Say something about a version, in place of the comment on its card."""
    from ..models import comment_model

    version = comment_model(model, text)
    _tell(Output(as_json), f"{version.reference}: {version.state.comments or 'the comment of the card'}", [version])


def activate(model: Stored, as_json: options.Json = False) -> None:
    """Make a version the one that its name alone means."""
    from ..models import activate_model

    version = activate_model(model)
    _tell(Output(as_json), f"{version.name} now means {version.reference}", [version])


def archive(model: Several, as_json: options.Json = False) -> None:
    """Put versions away: they stay where they are, and are not offered any more."""
    from ..models import archive_model

    versions = archive_model(model)
    _tell(Output(as_json), f"Archived {', '.join(version.reference for version in versions)}", versions)


def restore(model: Several, as_json: options.Json = False) -> None:
    """Bring back what was archived or deleted."""
    from ..models import archive_model, deleted, restore_deleted, versions_of
    from ..models.versions import current_name, split_reference

    name, number = split_reference(model)
    there = [v for v in versions_of(current_name(name)) if number in (None, v.number)]
    gone = [entry for entry in deleted() if entry.name == name and number in (None, entry.number)]
    if gone and (number is None or not there):
        versions = [restore_deleted(entry) for entry in (gone if number is None else gone[:1])]
    else:
        versions = archive_model(model, archived=False)
    _tell(Output(as_json), f"Back: {', '.join(version.reference for version in versions)}", versions)


def delete(
    model: Several,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.Json = False,
) -> None:
    """Move versions to the trash, where they stay for 30 days. A job's model goes with its job."""
    from ..models import delete_model
    from ..models.trash import DAYS

    output = Output(as_json)
    if not yes:
        typer.confirm(f"Delete {model} from the model store?", abort=True, err=True)
    gone = delete_model(model)
    references = [entry.reference for entry in gone]
    if not as_json:
        output.say(f"Deleted {', '.join(references)}")
        output.say(f"Within {DAYS} days it can be undone: napari-aitrain models restore {model}")
    output.result({"deleted": references})


def trash(
    empty: Annotated[bool, typer.Option("--empty", help="Delete for good what is in it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.Json = False,
) -> None:
    """List deleted versions, or delete them for good."""
    from ..models import deleted, empty_trash

    output = Output(as_json)
    entries = deleted()
    if not empty:
        for entry in [] if as_json else entries:
            output.say(f"{entry.reference}  deleted {entry.told}")
        if not (as_json or entries):
            output.say("The trash is empty.")
        output.result({"trash": [entry.model_dump(mode="json", exclude={"state"}) for entry in entries]})
        return
    if not yes and entries:
        typer.confirm(f"Delete {len(entries)} versions for good?", abort=True, err=True)
    count = empty_trash()
    if not as_json:
        output.say(f"{count} version{'s'[: count != 1]} deleted for good.")
    output.result({"emptied": count})


def _tell(output: Output, said: str, versions: list[Version]) -> None:
    if not output.as_json:
        output.say(said)
    output.result({"versions": [plain(version) for version in versions]})


def plain(version: Version) -> dict[str, Any]:
    """Return what there is to say of a version, without its card."""
    state = version.state
    return {
        "reference": version.reference,
        "folder": str(version.folder),
        "active": version.active,
        "archived": state.archived,
        "tags": list(state.tags),
        "comments": state.comments,
    }
