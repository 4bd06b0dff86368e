"""Models: their card, their folder and the store. Torch is imported only when weights are."""

from .card import FORMAT_VERSION, DataCard, ModelCard, SourceCard
from .folder import Model, load_model, save_model
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
    "remove_model",
    "save_model",
    "store_folder",
]
