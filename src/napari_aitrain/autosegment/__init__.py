"""Ground truth to begin with, found without a model: presets and two numbers, which the image itself suggests."""
