"""The Auto-segment dock: ground truth to begin with, without a model."""
