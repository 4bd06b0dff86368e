"""The only package that knows napari and Qt."""
