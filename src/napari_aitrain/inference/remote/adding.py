"""Remote models in the model store: a card and ``remote.json``, so that a name predicts wherever models do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...models import Model, ModelCard, list_versions, load_model
from ...models.adding import arriving
from ...models.folder import CARD
from ...models.model import REMOTE
from ...models.versions import safe_name, store_folder
from ...nets.remote_config import RemoteNetworkConfig
from ...volumes.atomic import atomic_write_text, storage_errors
from .address import shown
from .client import Client
from .config import RemoteConfig, read_remote, write_remote
from .described import card_of, describe
from .secrets import forget_headers, save_headers
from .steps import Percentiles

_TASKS = {"classes": "semantic", "scores": "semantic", "objects": "remote-objects", "boxes": "remote-objects"}


def add_remote(name: str, config: RemoteConfig, headers: Mapping[str, str] | None = None) -> Model:
    """Put a remote model into the store, as the next version of its name; its headers go into the keyring.

    Parameters
    ----------
    name : str
        In the store.
    config : RemoteConfig
        Its `headers` are set here.
    headers : mapping of str to str, optional
        With the key; None leaves what the keyring has for the address.

    Raises
    ------
    ConfigError
        If a class is needed and none is mapped, or the keyring cannot be used.
    RemoteError
        If it is a server of this program and cannot be asked for its model.
    StorageError
        If it cannot be written.
    """
    config = with_headers(config, headers)
    card = make_card(safe_name(name), config, headers)
    if headers is not None:
        save_headers(config.url, headers)
    with arriving(name) as one:
        with storage_errors(one.folder):
            one.folder.mkdir()
        write_remote(one.folder, config)
        atomic_write_text(one.folder / CARD, card.model_dump_json(indent=2))
    return load_model(one.placed)


def change_remote(folder: Path, config: RemoteConfig, headers: Mapping[str, str] | None = None) -> Model:
    """Write other settings of a remote model, and its card anew; its name, version and threshold stay.

    Parameters
    ----------
    folder : Path
        Of the model.
    config, headers
        See `add_remote`.

    Raises
    ------
    AitrainError
        See `add_remote`.
    """
    before, old = load_model(folder), read_remote(folder)
    config = with_headers(config, headers)
    fresh = make_card(before.card.name, config, headers)
    kept = {"version": before.card.version, "created": before.card.created}
    if fresh.task == before.card.task and config.form != "aitrain":
        kept["threshold"] = before.card.threshold
    if headers is not None:
        save_headers(config.url, headers)
        if old.url != config.url and not _used(old.url, folder):
            forget_headers(old.url)
    # The settings come first: with new ones and the old card a model says that it has changed, and predicts nothing.
    write_remote(folder, config)
    atomic_write_text(folder / CARD, fresh.model_copy(update=kept).model_dump_json(indent=2))
    return load_model(folder)


def refresh_remote(folder: Path) -> Model:
    """Take over what a server of this program says of its model by now."""
    return change_remote(folder, read_remote(folder))


def remotes() -> list[Model]:
    """Return the remote models of the store, by name and version."""
    folders = [version.folder for version in list_versions() if not version.state.archived]
    return [load_model(folder) for folder in folders if (folder / REMOTE).is_file() and (folder / CARD).is_file()]


def with_headers(config: RemoteConfig, headers: Mapping[str, str] | None) -> RemoteConfig:
    """Return the config with the names of headers, if any are given."""
    return config if headers is None else config.model_copy(update={"headers": tuple(headers)})


def make_card(name: str, config: RemoteConfig, headers: Mapping[str, str] | None = None) -> ModelCard:
    """Return the card of a remote model; a server of this program is asked for it.

    Raises
    ------
    RemoteError
        If it cannot be asked.
    """
    comments = f"A remote model at {shown(config.url)}"
    if config.form == "aitrain":
        client = Client(config, headers)
        try:
            served = describe(client)
        finally:
            client.close()
        card = card_of(served, client.where)
        said = f"{card.comments}\n{comments}" if card.comments else comments
        return card.model_copy(update={"name": name, "comments": said})
    named = config.classes or {1: "object"}
    first = config.before[0] if config.before else None
    network = RemoteNetworkConfig(
        in_channels=config.channels or 0,
        heads=len(named) + 1 if _TASKS[config.answer] == "semantic" else 0,
        percentiles=(first.low, first.high) if isinstance(first, Percentiles) else None,
    )
    return ModelCard(
        name=name,
        task=_TASKS[config.answer],
        classes=(0, *named),
        class_names={0: "background", **named},
        dims=2,
        channels=tuple(str(n) for n in range(config.channels or 0)),
        network=network.model_dump(mode="json"),
        # What a server has decided is shown as it is.
        threshold=0.0,
        comments=comments,
        weights_sha256=config.fingerprint,
    )


def _used(address: str, but: Path) -> bool:
    found = (path for path in store_folder().glob(f"*/v*/{REMOTE}") if path.parent != but)
    return any(read_remote(path.parent).url == address for path in found)
