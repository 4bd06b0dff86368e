"""Findings: what a check says of boxes and ground truth, before anything runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["error", "warning", "info"]
ORDER: tuple[Level, ...] = ("error", "warning", "info")
"""In which findings are shown."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Parameters
    ----------
    level : {'error', 'warning', 'info'}
        Errors block the start, warnings do not; an info says what was decided.
    code : str
        Stable short name for programs, such as ``box-outside``.
    message : str
        What is so, in a sentence.
    remedy : str
        What the person can do about it.
    where : str
        The box, file or setting concerned; empty when it concerns the whole training set.
    """

    level: Level
    code: str
    message: str
    remedy: str = ""
    where: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding as plain data, for ``--json``."""
        return asdict(self)


def error(code: str, message: str, remedy: str = "", where: str = "") -> Finding:
    """Return a finding that blocks the start."""
    return Finding("error", code, message, remedy, where)


def warning(code: str, message: str, remedy: str = "", where: str = "") -> Finding:
    """Return a finding that does not block the start."""
    return Finding("warning", code, message, remedy, where)


def info(code: str, message: str, remedy: str = "", where: str = "") -> Finding:
    """Return a finding that says what was decided."""
    return Finding("info", code, message, remedy, where)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Return findings with errors first, then warnings."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.level))
