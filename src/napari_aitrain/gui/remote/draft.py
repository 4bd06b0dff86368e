"""What stands in the form of a remote model, before it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import ConfigError
from ...inference.remote import RemoteConfig, parse_remote

BEARER = "Authorization"


@dataclass(frozen=True)
class Draft:
    """A form as plain data.

    Parameters
    ----------
    name : str
        In the model store.
    settings : mapping
        Of a `RemoteConfig`, but for headers.
    header : str
        Name of the header with the key; empty where none is wanted.
    key : str
        As typed just now; empty where the one in the keyring stays.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    header: str = ""
    key: str = field(default="", repr=False)

    def config(self) -> RemoteConfig:
        """Return the settings, checked.

        Raises
        ------
        ConfigError
            If they do not go together, or the name is missing.
        """
        if not self.name.strip():
            raise ConfigError("the model has no name", "a name for the model store", "write one, such as lab-gpu")
        return parse_remote({**self.settings, "headers": [self.header] if self.header else []}, "The form")

    def headers(self, kept: tuple[str, ...], same_address: bool) -> dict[str, str] | None:
        """Return the header with the key; None for what the keyring has.

        Parameters
        ----------
        kept : tuple of str
            Headers whose values the keyring has.
        same_address : bool
            Whether they are for this address.

        Raises
        ------
        ConfigError
            If a key is wanted and there is none.
        """
        if not self.header:
            return {}
        if self.key:
            bare = self.header.lower() == BEARER.lower() and " " not in self.key
            return {self.header: f"Bearer {self.key}" if bare else self.key}
        if same_address and self.header in kept:
            return None
        raise ConfigError(
            f"the key for the header {self.header} is missing",
            "the key that who runs the server gave you; each address has its own",
            "enter it, or leave the header empty if the server wants none",
        )


def draft_of(name: str, config: RemoteConfig) -> Draft:
    """Return a form filled with settings; of the key only which header it is in."""
    settings = config.model_dump(mode="json", exclude={"headers", "format_version"})
    return Draft(name, settings, config.headers[0] if config.headers else "")
