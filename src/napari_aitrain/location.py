"""Where a volume lies: a path on this computer, or the address of something on a server or in a bucket."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")


@dataclass(frozen=True, order=True)
class Url:
    """An address such as ``https://host/image.zarr`` or ``s3://bucket/image.zarr``, with the words of a path.

    `pathlib` would make ``https:/host`` of it.

    Parameters
    ----------
    text : str
        The address.

    Examples
    --------
    >>> url = Url("https://host/data/cells.ome.zarr/?key=1")
    >>> url.name, url.suffix, str(url / "0")
    ('cells.ome.zarr', '.zarr', 'https://host/data/cells.ome.zarr/0?key=1')
    """

    text: str

    def __post_init__(self) -> None:
        base, mark, query = self.text.partition("?")
        scheme, _, rest = base.partition("://")
        object.__setattr__(self, "text", f"{scheme.lower()}://{rest.rstrip('/')}{mark}{query}")

    @property
    def scheme(self) -> str:
        """What stands before ``://``."""
        return self.text.partition("://")[0]

    @property
    def query(self) -> str:
        """What stands behind the first question mark."""
        return urlsplit(self.text).query

    @property
    def name(self) -> str:
        """The last part of the path, as people write it; the host where there is no path."""
        parts = urlsplit(self.text)
        return unquote(posixpath.basename(parts.path)) or parts.netloc

    @property
    def suffix(self) -> str:
        """The ending of the name with its dot."""
        return Path(self.name).suffix

    @property
    def stem(self) -> str:
        """The name without its last ending."""
        return Path(self.name).stem

    @property
    def parent(self) -> Url:
        """The address one level up; that of the host is its own."""
        base, mark, query = self.text.partition("?")
        up = base.rpartition("/")[0]
        return self if up.endswith(("/", ":")) else Url(up + mark + query)

    def with_name(self, name: str) -> Url:
        """Return the address with another last part."""
        return self.parent / name

    def __truediv__(self, other: str | Path) -> Url:
        base, mark, query = self.text.partition("?")
        return Url(f"{base}/{Path(other).as_posix()}{mark}{query}")

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let a config hold an address, and write it as text."""
        return core_schema.is_instance_schema(cls, serialization=core_schema.to_string_ser_schema())


Location = Path | Url
"""Where a volume lies."""


def located(place: str | Path | Url) -> Location:
    """Return the location that a text names; ``file://`` is a path.

    Examples
    --------
    >>> located("s3://bucket/a.zarr"), located("a b.tif") == Path("a b.tif")
    (Url(text='s3://bucket/a.zarr'), True)
    """
    if isinstance(place, Url):
        return place
    if isinstance(place, str) and place[:7].lower() == "file://":
        path = unquote(urlsplit(place).path)
        return Path(path[1:] if re.match(r"/[A-Za-z]:", path) else path)
    return Url(place) if isinstance(place, str) and _URL.match(place) else Path(place)


def absolute(place: str | Path | Url, base: Path | None = None) -> Location:
    """Return a location that does not depend on the current folder; a path may be relative to `base`."""
    location = located(place)
    if isinstance(location, Url):
        return location
    return (location if base is None else base / location).absolute()


LocationField = Annotated[Location, BeforeValidator(lambda value: located(value) if isinstance(value, str) else value)]
"""A location in a config: written as text."""
