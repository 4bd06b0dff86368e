"""``python -m napari_aitrain`` is the command line."""

from .cli import main

main()
