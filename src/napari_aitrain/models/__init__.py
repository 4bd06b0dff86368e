"""Models: their card, their folder and the store. Torch is imported only when weights are."""

from .card import FORMAT_VERSION, DataCard, ModelCard, SourceCard
from .cellpose_file import export_cellpose
from .folder import load_model, read_card, save_model
from .model import Model
from .numbers import save_settings, save_threshold
from .starters import fitting_starter, starter_folder, starter_names
from .store import find_model, import_model, list_models, locate_model, remove_model, store_folder

__all__ = [
    "FORMAT_VERSION",
    "DataCard",
    "Model",
    "ModelCard",
    "SourceCard",
    "export_cellpose",
    "find_model",
    "fitting_starter",
    "import_model",
    "list_models",
    "load_model",
    "locate_model",
    "read_card",
    "remove_model",
    "save_model",
    "save_settings",
    "save_threshold",
    "starter_folder",
    "starter_names",
    "store_folder",
]
