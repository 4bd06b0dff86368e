"""Every rule for training sets by its code, and what a policy may make of it; the rules themselves are in `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Rule:
    """What a policy may make of a finding.

    Parameters
    ----------
    what : str
        What it finds, in a few words.
    level : {'error', 'warning'}
        What it is unless a policy says otherwise.
    needed : str
        Why it has to stay an error; empty where a training can run in spite of it.
    """

    what: str
    level: Literal["error", "warning"] = "warning"
    needed: str = ""

    @property
    def may_be(self) -> tuple[str, ...]:
        """The levels that a policy may give it."""
        return ("error",) if self.needed else ("error", "warning", "off")


_NOTHING = "nothing can be learned without it"
_FILES = "the files cannot be read together"
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "no-boxes": Rule("no box is left to train on", "error", _NOTHING),
        "no-volume": Rule("boxes hold no voxel at the training magnification", "error", _NOTHING),
        "no-labels": Rule("nothing is labelled in the boxes for training", "error", _NOTHING),
        "no-validation-labels": Rule("nothing is labelled in the boxes for validation", "error", _NOTHING),
        "no-test-labels": Rule("nothing is labelled in the boxes for test", "error", "nothing could be measured"),
        "no-training-boxes": Rule("no box has the role train", "error", _NOTHING),
        "no-split": Rule("validation uses the voxels of training"),
        "classes-not-labelled": Rule("no chosen class is labelled", "error", _NOTHING),
        "one-class": Rule("a single class is labelled", "error", _NOTHING),
        "same-layer": Rule("image and ground truth are the same", "error", _NOTHING),
        "no-common-magnification": Rule("image and ground truth share no magnification", "error", _FILES),
        "mixed-channels": Rule("images differ in their channels", "error", _FILES),
        "image-thin": Rule("an image is one voxel thick", "error", _FILES),
        "image-damaged": Rule("an image cannot be read", "error", _FILES),
        "single-slice": Rule("a task that follows objects gets a single slice", "error", _NOTHING),
        "voxel-size-needed": Rule("a task that works in nm gets no voxel size", "error", "lengths would be wrong"),
        "box-outside": Rule("a box reaches beyond the ground truth", "error"),
        "roles-overlap": Rule("boxes for training, validation or test share voxels", "error"),
        "roles-near": Rule("boxes of different roles are closer than the network sees"),
        "box-small": Rule("a box has fewer voxels than the minimum extent"),
        "box-unaligned": Rule("a box does not lie on the grid of its magnification"),
        "box-no-multiple": Rule("boxes are no multiples of the smallest one"),
        "box-without-labels": Rule("a box holds no labels"),
        "few-annotations": Rule("few annotated objects in completed boxes"),
        "few-of-class": Rule("few annotations of a class"),
        "early-test-set": Rule("boxes are held out for testing while there are few annotations"),
        "small-split": Rule("little is left for training or validation"),
        "classes-not-used": Rule("classes are chosen for a task of objects"),
        "class-not-labelled": Rule("a chosen class is not labelled"),
        "class-never-trained": Rule("a class is labelled for validation or test alone"),
        "class-not-validated": Rule("a class is not labelled for validation"),
        "many-classes": Rule("very many classes"),
        "no-background": Rule("no background is painted in sparse boxes"),
        "one-object": Rule("all labels have one id"),
        "binary-labels": Rule("connected pieces count as objects"),
        "id-used-twice": Rule("an id is used for distant objects"),
        "max-distance-not-given": Rule("no max distance was chosen"),
        "objects-exceed-max-distance": Rule("objects are longer than the max distance"),
        "axes-guessed": Rule("an image does not name its axes"),
        "channel-order": Rule("images have their channels in another order"),
        "mixed-voxel-sizes": Rule("images differ in voxel size"),
        "unknown-voxel-size": Rule("the voxel size of some images is not known"),
        "mixed-dims": Rule("single slices and volumes are mixed"),
        "anisotropic": Rule("voxels are very long along one axis"),
        "stray-files": Rule("files have no partner"),
        "image-constant": Rule("an image has a single value", "error", _NOTHING),
        "image-empty": Rule("an image is empty where it is trained on", "error", _NOTHING),
        "image-not-finite": Rule("an image holds values that are no numbers", "error", _NOTHING),
        "image-chunks-missing": Rule("parts of an image are missing"),
        "image-level-left-out": Rule("a level of an image cannot be used"),
    }
)
"""Every finding about a training set that a policy can name, by its code."""
