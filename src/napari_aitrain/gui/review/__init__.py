"""The Review dock: live predictions, the threshold, corrections, and prediction with a chosen model."""
