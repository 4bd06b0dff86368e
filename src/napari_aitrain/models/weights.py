"""Weights of other people's networks that are known by name: what they are, their licence, and where they lie.

Nothing here or anywhere else fetches them unasked; see `download`.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingWeightsError, ModelError
from ..volumes.atomic import atomic_file, refuse_existing, storage_errors
from ..words import spoken_size

FOLDER_VARIABLE = "CELLPOSE_LOCAL_MODELS_PATH"
_CELLPOSE = "https://huggingface.co/mouseland/cellpose-sam/resolve/main/"
_NON_COMMERCIAL = "https://creativecommons.org/licenses/by-nc/4.0/"


@dataclass(frozen=True)
class KnownWeights:
    """A file of weights that can be downloaded once a person has agreed.

    Parameters
    ----------
    name : str
        Name of the file, and what people type.
    title : str
        For people.
    url : str
        Where it comes from.
    size : int
        Bytes.
    sha256 : str or None
        Checksum, where it is known.
    licence, licence_url : str
        On what terms it may be used, and where they stand.
    note : str
        What it is good for.
    kind : str
        Whose network it is for; decides the folder.
    """

    name: str
    title: str
    url: str
    size: int
    sha256: str | None
    licence: str
    licence_url: str
    note: str
    kind: str = "cellpose"


KNOWN: tuple[KnownWeights, ...] = (
    KnownWeights(
        name="cpsam_v2",
        title="Cellpose-SAM, second version",
        url=_CELLPOSE + "cpsam_v2",
        size=1_233_586_851,
        sha256="0f1cc3f7ecdd8a037a57c6c48d9d8921391be4cbce3fa9f13c3e3a2e1253c667",
        licence="CC BY-NC 4.0 (not for commercial use)",
        licence_url=_NON_COMMERCIAL,
        note="Cells and nuclei in most kinds of microscopy, about 8 to 120 pixels across; what Cellpose 4 uses.",
    ),
    KnownWeights(
        name="cpsam",
        title="Cellpose-SAM, first version",
        url=_CELLPOSE + "cpsam",
        size=1_233_587_898,
        sha256="e1440429eb384f95afe32bcba6510f90d518eaedc917ede549bed6804004abe2",
        licence="CC BY-NC 4.0 (not for commercial use)",
        licence_url=_NON_COMMERCIAL,
        note="The weights of Cellpose 4.0 and 4.1, to repeat older results.",
    ),
)


def known_weights(name: str) -> KnownWeights:
    """Return the known weights of a name.

    Raises
    ------
    ModelError
        If there are none; a near name is told.
    """
    for one in KNOWN:
        if one.name == name:
            return one
    names = [one.name for one in KNOWN]
    near = difflib.get_close_matches(name, names, n=1)
    raise ModelError(
        f"no weights are known as {name!r}",
        "one of " + ", ".join(names),
        f"did you mean {near[0]!r}?" if near else "see `napari-aitrain weights list`",
    )


def weights_folder(kind: str = "cellpose") -> Path:
    """Return where weights of a kind lie; those of Cellpose are where Cellpose itself keeps them.

    ``CELLPOSE_LOCAL_MODELS_PATH`` is honoured, as by Cellpose.

    Raises
    ------
    ModelError
        If the kind is not known.
    """
    if kind != "cellpose":
        raise ModelError(f"weights of kind {kind!r} are not known", "cellpose", "update napari-aitrain")
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path.home() / ".cellpose" / "models"


def find_weights(name: str) -> Path | None:
    """Return the file of known weights if it is there in its full size, else None.

    Raises
    ------
    ModelError
        If the name is not known.
    """
    known = known_weights(name)
    path = weights_folder(known.kind) / known.name
    try:
        return path if path.is_file() and path.stat().st_size == known.size else None
    except OSError:
        return None


def missing_weights(known: KnownWeights) -> MissingWeightsError:
    """Return the error for weights that are not there, which says how to get them, with a network or without."""
    return MissingWeightsError(
        f"the weights {known.name} are not on this computer",
        f"the file {weights_folder(known.kind) / known.name} of {known.size:,} bytes",
        f"run `napari-aitrain weights download {known.name}`; on a computer without network "
        + offline_remedy(known, weights_folder(known.kind)),
    )


def offline_remedy(known: KnownWeights, folder: Path) -> str:
    """Return what to do where there is no network: which file to put where."""
    return (
        f"download {known.url} elsewhere ({spoken_size(known.size)}), and put the file at {folder / known.name}, "
        "or run `napari-aitrain weights import FILE`"
    )


def check_weights(path: Path, known: KnownWeights) -> None:
    """Refuse a file that is not the known weights, by its size and checksum.

    Raises
    ------
    ModelError
        If it is another file, or only a part.
    """
    with storage_errors(path):
        size = path.stat().st_size
    if size != known.size:
        raise ModelError(
            f"{path} has {size:,} bytes, {known.name} has {known.size:,}",
            f"the whole file from {known.url}",
            "download it again",
        )
    if known.sha256 is not None and _checksum(path) != known.sha256:
        raise ModelError(
            f"{path} has another checksum than {known.name}",
            f"SHA-256 {known.sha256}",
            f"download it again from {known.url}",
        )


def import_weights(file: Path) -> Path:
    """Copy a file of known weights, whatever it is called, to where it is looked for; return that place.

    Raises
    ------
    ModelError
        If it is missing or none of the known weights.
    OutputExistsError
        If there is a file already.
    """
    if not file.is_file():
        raise ModelError(f"{file} is not a file", "a file of weights", "check the path")
    size = file.stat().st_size
    known = next((one for one in KNOWN if one.size == size), None)
    if known is None:
        sizes = ", ".join(f"{one.name} of {one.size:,} bytes" for one in KNOWN)
        raise ModelError(
            f"{file} of {size:,} bytes is none of the weights that are known",
            sizes,
            "download it again if it should be; for a Cellpose model of your own use `napari-aitrain models import`",
        )
    check_weights(file, known)
    target = weights_folder(known.kind) / known.name
    refuse_existing(target)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as source, atomic_file(target, overwrite=False) as copy:
            shutil.copyfileobj(source, copy, 2**22)
    return target


def _checksum(path: Path) -> str:
    with storage_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
