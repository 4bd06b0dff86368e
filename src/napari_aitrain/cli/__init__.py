"""The command line: every job without a window. Nothing heavy is imported before a command runs."""

from .main import main

__all__ = ["main"]
