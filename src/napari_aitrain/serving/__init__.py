"""The other side of remote models: a model of this computer behind a URL. Importing it imports no web server."""

from .settings import ServeSettings

__all__ = ["ServeSettings"]
