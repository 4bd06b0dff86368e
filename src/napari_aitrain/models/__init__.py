"""Models: their card, their folder and the store. Torch is imported only when weights are."""

from .adding import import_model
from .card import FORMAT_VERSION, DataCard, ModelCard, SourceCard
from .cellpose_file import export_cellpose
from .changes import activate_model, archive_model, comment_model, rename_model, tag_model
from .folder import load_model, read_card, save_model
from .incoming import take_in
from .model import Model
from .numbers import save_settings, save_threshold
from .one_file import export_file, import_file
from .starters import fitting_starter, starter_folder, starter_names
from .state import NameState, VersionState, read_state
from .store import find_model, find_version, locate_model
from .trash import Deleted, delete_model, deleted, empty_trash, restore_deleted
from .versions import Version, list_versions, store_folder, versions_of

__all__ = [
    "FORMAT_VERSION",
    "DataCard",
    "Deleted",
    "Model",
    "ModelCard",
    "NameState",
    "SourceCard",
    "Version",
    "VersionState",
    "activate_model",
    "archive_model",
    "comment_model",
    "delete_model",
    "deleted",
    "empty_trash",
    "export_cellpose",
    "export_file",
    "find_model",
    "find_version",
    "fitting_starter",
    "import_file",
    "import_model",
    "list_versions",
    "load_model",
    "locate_model",
    "read_card",
    "read_state",
    "rename_model",
    "restore_deleted",
    "save_model",
    "save_settings",
    "save_threshold",
    "starter_folder",
    "starter_names",
    "store_folder",
    "tag_model",
    "take_in",
    "versions_of",
]
