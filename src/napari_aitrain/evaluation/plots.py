"""Small plots for reports, as SVG that stands in an HTML page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .curve import ThresholdCurve
from .neurons import AgreementCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curve_svg(curve: ThresholdCurve, locked: float | None = None, best: float | None = None) -> str:
    """Return precision, recall and F1 over the threshold.

    Parameters
    ----------
    curve : ThresholdCurve
        Of any boxes.
    locked : float, optional
        The model's own threshold, to be marked.
    best : float, optional
        One that is offered; that of the curve if neither is given.
    """
    best = curve.best if best is None and locked is None else best
    figure, axes = _unit_axes("threshold", "share")
    for name, values in (("precision", curve.precision), ("recall", curve.recall), ("F1", curve.f1)):
        axes.plot(curve.thresholds, values, label=name, linewidth=2 if name == "F1" else 1.2)
    if locked is not None:
        axes.axvline(locked, color="0.4", linewidth=1, label=f"locked: {locked:.2f}")
    if best is not None:
        axes.axvline(best, color="0.4", linestyle=":", label=f"best: {best:.2f}")
    axes.legend(fontsize=8, loc="lower left")
    return _svg(figure)


def agreement_svg(curve: AgreementCurve) -> str:
    """Return variation of information and adapted Rand error over the threshold; locked and best one are marked."""
    figure, axes = _unit_axes("threshold", "bits; adapted Rand error")
    for name, words in (("voi_split", "split"), ("voi_merge", "merge"), ("voi", "both"), ("arand", "adapted Rand")):
        values = [row[name] for row in curve.rows]
        axes.plot(curve.thresholds, values, label=words, linewidth=2 if name == "voi" else 1.2)
    best = min(row["voi"] for row in curve.rows)
    axes.set_ylim(0, max(1.0, 3 * best))
    axes.axvline(curve.locked, color="0.4", linestyle="-", linewidth=1, label=f"locked: {curve.locked:.2f}")
    axes.axvline(curve.best, color="0.4", linestyle=":", label=f"best: {curve.best:.2f}")
    axes.legend(fontsize=8, loc="upper center")
    return _svg(figure)


def calibration_svg(bins: Sequence[tuple[float, float, int]]) -> str:
    """Return how often objects of each score are right; on the diagonal, scores mean what they say.

    Parameters
    ----------
    bins : sequence of (float, float, int)
        Mean score, share of right objects and number of objects, as from `calibration_bins`.
    """
    figure, axes = _unit_axes("score", "share of right objects")
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":")
    scores, shares, counts = zip(*bins, strict=True)
    largest = max(counts)
    axes.plot(scores, shares, color="C0", linewidth=1)
    axes.scatter(scores, shares, s=[15 + 100 * n / largest for n in counts], color="C0")
    for score, share, count in bins:
        axes.annotate(str(count), (score, share), xytext=(5, -9), textcoords="offset points", fontsize=7)
    return _svg(figure)


def _unit_axes(x: str, y: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    buffer = io.StringIO()
    # A fixed salt makes the same plot the same text.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "aitrain"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
