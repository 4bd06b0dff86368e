"""Open, check, normalise and write volumes."""

from .atomic import atomic_folder, atomic_write_array, atomic_write_bytes, atomic_write_text
from .checks import MissingChunks, check_chunks, check_image_values, missing_chunks
from .counting import ReadCounts, read_counts
from .labels import read_labels
from .normalisation import Normalisation, sample_voxels
from .opening import open_volume
from .pairing import check_not_swapped, explain_shape_mismatch, looks_swapped
from .pairs import Matching, Pair, match_files, pair_files
from .volume import Volume
from .writers import LabelsWriter, check_output

__all__ = [
    "LabelsWriter",
    "Matching",
    "MissingChunks",
    "Normalisation",
    "Pair",
    "ReadCounts",
    "Volume",
    "atomic_folder",
    "atomic_write_array",
    "atomic_write_bytes",
    "atomic_write_text",
    "check_chunks",
    "check_image_values",
    "check_not_swapped",
    "check_output",
    "explain_shape_mismatch",
    "looks_swapped",
    "match_files",
    "missing_chunks",
    "open_volume",
    "pair_files",
    "read_counts",
    "read_labels",
    "sample_voxels",
]
