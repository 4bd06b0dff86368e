"""The Evaluate dock: how good a model is, where it fails, and how far its scores can be trusted."""
