"""Train segmentation models on your own labels, from napari or the command line."""

__version__ = "0.1.0"
