"""Models: their card, their folder and the store. Torch is imported only when weights are."""

from .card import FORMAT_VERSION, DataCard, ModelCard, SourceCard
from .folder import Model, load_model, read_card, save_model, save_settings, save_threshold
from .store import find_model, import_model, list_models, remove_model, store_folder

__all__ = [
    "FORMAT_VERSION",
    "DataCard",
    "Model",
    "ModelCard",
    "SourceCard",
    "find_model",
    "import_model",
    "list_models",
    "load_model",
    "read_card",
    "remove_model",
    "save_model",
    "save_settings",
    "save_threshold",
    "store_folder",
]
