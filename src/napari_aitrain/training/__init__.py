"""Training: typed config, frozen crops, sampling, augmentation, the loop and its checkpoints."""
