"""Who learns, who is looked at while learning, who is kept out: the roles of boxes.

Where no box has the role of validation, whole boxes are set aside by a seeded choice; a single box is cut in two.
What is labelled decides the balance, not the mere extent, so that no part ends up with nothing to look at.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..geometry import Region, Triple, align_inwards, to_finest
from .boxes import Role
from .cut import Cut, find_cut
from .findings import Finding, error, warning
from .roles import Candidate, Part, check_roles, overlap

_DRAWS = 32


@dataclass(frozen=True)
class Split:
    """The roles, and what was done to get them.

    Parameters
    ----------
    parts : tuple of Part
        In the order of the candidates.
    sentence : str
        What was done, for people, before the start.
    findings : tuple of Finding
        Errors and warnings about the roles.
    """

    parts: tuple[Part, ...]
    sentence: str
    findings: tuple[Finding, ...] = ()


def assign_roles(
    candidates: Sequence[Candidate], fraction: float = 0.2, seed: int = 0, receptive_field: Triple = (0, 16, 16)
) -> Split:
    """Give every box a role, and validation its share where no box has that role.

    Boxes that overlap stay together. Two or more (groups of) boxes are split whole, at least one on each side, so
    that the labelled voxels of validation come near `fraction`. A single one is cut along its longest axis with a
    gap as wide as the receptive field, whose voxels belong to nothing; see `cut.find_cut` for boxes too small for
    that. Test boxes are left alone.

    Parameters
    ----------
    candidates : sequence of Candidate
        The boxes to use, with the roles that people gave.
    fraction : float
        Share of the labelled voxels for validation, between 0 and 1.
    seed : int
        Seed of the choice of boxes.
    receptive_field : tuple of int
        Half width of what the network sees around a voxel, in z, y, x order, in voxels of the training
        magnification.

    Returns
    -------
    Split
        The parts, a sentence and findings.
    """
    parts = [Part(i, c.region, c.role) for i, c in enumerate(candidates)]
    train = [i for i, c in enumerate(candidates) if c.role == "train"]
    if not train:
        found = error(
            "no-training-boxes",
            "No box has the role train.",
            "Give at least one box with labels in it the role train.",
        )
        return Split(tuple(parts), "Nothing to train on.", (found,))
    chosen = sum(c.role == "validation" for c in candidates)
    if chosen:
        findings = check_roles(candidates, parts, receptive_field, by_choice=True)
        return Split(tuple(parts), f"Validation uses the {_boxes(chosen)} chosen for it.", tuple(findings))
    groups = [g for g in _groups(candidates, train) if sum(candidates[i].weight for i in g)]
    if len(groups) >= 2:
        parts, sentence, findings = _split_by_box(candidates, parts, groups, fraction, seed)
    else:
        parts, sentence, findings = _split_inside(
            candidates, parts, groups[0] if groups else train, fraction, receptive_field
        )
    findings = findings + check_roles(candidates, parts, receptive_field, by_choice=False)
    return Split(tuple(parts), sentence, tuple(findings))


def _split_by_box(
    candidates: Sequence[Candidate], parts: list[Part], groups: list[list[int]], fraction: float, seed: int
) -> tuple[list[Part], str, list[Finding]]:
    weights = [sum(candidates[i].weight for i in group) for group in groups]
    total, target = sum(weights), fraction * sum(weights)
    # As large a share of the boxes as of the voxels: many small boxes set aside would cost training its variety.
    number = min(len(groups) - 1, max(1, round(fraction * len(groups))))
    chance = random.Random(seed)
    draws = [chance.sample(range(len(groups)), number) for _ in range(_DRAWS)]
    classes = [{label for i in group for label in candidates[i].found} for group in groups]
    picked = min(draws, key=lambda d: (_lost(classes, d), abs(sum(weights[i] for i in d) - target)))
    held = sum(weights[i] for i in picked)
    validation = {i for index in picked for i in groups[index]}
    parts = [Part(p.of, p.region, "validation" if p.of in validation else p.role) for p in parts]
    count = sum(c.role == "train" for c in candidates)
    sentence = (
        f"Validation: no box was chosen for it, so {len(validation)} of {count} boxes were set aside with "
        f"{held / total:.0%} of the labelled voxels (seed {seed}): {_names(candidates, sorted(validation))}."
    )
    return parts, sentence, []


def _lost(classes: Sequence[set[int]], picked: Sequence[int]) -> int:
    """Return how many classes training loses when some groups are set aside."""
    left = [found for i, found in enumerate(classes) if i not in picked]
    return len(set().union(*classes) - set().union(*left))


def _split_inside(
    candidates: Sequence[Candidate], parts: list[Part], group: list[int], fraction: float, receptive_field: Triple
) -> tuple[list[Part], str, list[Finding]]:
    base = max(group, key=lambda i: candidates[i].weight)
    cut = find_cut([candidates[base].profile(axis) for axis in range(3)], fraction, receptive_field)
    if cut is None:
        return _look_at_training(candidates, parts, group)
    kept = [part for part in parts if part.of not in group]
    for index in group:
        kept += _cut_parts(candidates[index], index, candidates[base], cut)
    end = f"{'end' if cut.training_first else 'beginning'} of {'zyx'[cut.axis]}"
    sentence = (
        f"Validation: there is only {candidates[base].name or 'one box'}, so {cut.share:.0%} of its labelled voxels "
        f"were set aside at the {end}, with a gap of {cut.gap} voxels that is not used."
    )
    findings = []
    if cut.gap < cut.wanted_gap:
        findings.append(
            warning(
                "small-split",
                f"The box is too small to keep training and validation {cut.wanted_gap} voxels apart; "
                f"the gap is {cut.gap}, so figures for validation look a little better than they are.",
                "Draw a second box, best in another part of the image.",
                candidates[base].name,
            )
        )
    return sorted(kept, key=lambda part: part.of), sentence, findings


def _cut_parts(candidate: Candidate, index: int, base: Candidate, cut: Cut) -> Iterator[Part]:
    spans: tuple[tuple[Role, tuple[int, int]], ...] = (("train", cut.train), ("validation", cut.validation))
    for role, (low, high) in spans:
        start, stop = list(base.region.start), list(base.region.stop)
        first = base.region.start[cut.axis]
        start[cut.axis], stop[cut.axis] = first + low, first + high
        kept = to_finest(Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])), base.magnification)
        kept = _open_ended(kept, candidate.finest, cut, role)
        region = align_inwards(candidate.finest.intersect(kept), candidate.magnification)
        if not region.empty:
            yield Part(index, region, role)


def _open_ended(kept: Region, other: Region, cut: Cut, role: Role) -> Region:
    """Stretch one side of a cut over everything of another box that lies on that side."""
    start, stop = list(other.start), list(other.stop)
    if cut.training_first == (role == "train"):
        stop[cut.axis] = kept.stop[cut.axis]
    else:
        start[cut.axis] = kept.start[cut.axis]
    return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _look_at_training(
    candidates: Sequence[Candidate], parts: list[Part], group: list[int]
) -> tuple[list[Part], str, list[Finding]]:
    base = max(group, key=lambda i: candidates[i].weight)
    sentence = (
        f"Validation: {candidates[base].name or 'the only box'} is too small to be cut in two, so validation looks at "
        "the same voxels as training."
    )
    found = warning(
        "no-split",
        "Validation looks at the voxels of training: its figures say how well the labels were learned by heart, not "
        "how well the model does elsewhere.",
        "Draw a second box, or label more of this image.",
        candidates[base].name,
    )
    return [*parts, Part(base, candidates[base].region, "validation")], sentence, [found]


def _groups(candidates: Sequence[Candidate], indices: Sequence[int]) -> list[list[int]]:
    """Put boxes that overlap, directly or through others, into one group."""
    groups: list[list[int]] = []
    for index in indices:
        touching = [g for g in groups if any(overlap(candidates[index], candidates[i]) for i in g)]
        groups = [g for g in groups if g not in touching]
        groups.append([*(i for g in touching for i in g), index])
    return groups


def _boxes(count: int) -> str:
    return "1 box" if count == 1 else f"{count} boxes"


def _names(candidates: Sequence[Candidate], indices: Sequence[int], most: int = 4) -> str:
    names = [candidates[i].name or f"box {i + 1}" for i in indices]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
