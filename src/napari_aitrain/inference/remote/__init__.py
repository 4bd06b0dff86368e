"""Models behind a URL: servers of this program, and those of others in the documented forms.

Importing it imports neither torch nor httpx.
"""

from .adding import add_remote, change_remote, refresh_remote, remotes
from .config import Output, RemoteConfig, Waiting, parse_remote, read_remote
from .secrets import forget_headers, save_headers

__all__ = [
    "Output",
    "RemoteConfig",
    "Waiting",
    "add_remote",
    "change_remote",
    "forget_headers",
    "parse_remote",
    "read_remote",
    "refresh_remote",
    "remotes",
    "save_headers",
]
