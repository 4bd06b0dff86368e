"""The rules that hold for the boxes of a window: those of its project, over those of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...annotation.policy import Policy, effective_policy
from ...errors import ConfigError

if TYPE_CHECKING:
    from ..session import Session


def policy_here(session: Session) -> Policy:
    """Return the policy; the usual one where a file cannot be read, of which the Train dock tells."""
    project = session.saver.project
    try:
        return effective_policy(None, [] if project is None else [project.labels_path("any")])
    except ConfigError:
        return Policy()
