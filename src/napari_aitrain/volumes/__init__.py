"""Open, check, normalise and write volumes."""

from .atomic import atomic_folder, atomic_write_bytes, atomic_write_text
from .labels import read_labels
from .normalisation import Normalisation, sample_voxels
from .opening import open_volume
from .pairs import Matching, Pair, match_files, pair_files
from .volume import Volume
from .writers import LabelsWriter, check_output

__all__ = [
    "LabelsWriter",
    "Matching",
    "Normalisation",
    "Pair",
    "Volume",
    "atomic_folder",
    "atomic_write_bytes",
    "atomic_write_text",
    "check_output",
    "match_files",
    "open_volume",
    "pair_files",
    "read_labels",
    "sample_voxels",
]
