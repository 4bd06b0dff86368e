"""Models in the format of the BioImage Model Zoo: written for other programs, and taken from them.

Needs the extra ``bioimageio``; its packages are imported when a model is written or read.
"""

from .describing import About
from .description import holds_description
from .exporting import ExportedModel, export_bioimageio
from .foreign import Wanted
from .importing import import_bioimageio

__all__ = ["About", "ExportedModel", "Wanted", "export_bioimageio", "holds_description", "import_bioimageio"]
