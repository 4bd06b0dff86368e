"""Ground truth to begin with: by presets and two numbers, which the image itself suggests, or by a starter model."""
