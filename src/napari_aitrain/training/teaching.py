"""A pixel forest for a training: fitted to its crops, and made its teacher where the task wants one."""

from __future__ import annotations

import torch

from .setup import Setup
from .teacher import Teacher


def ask_forest(setup: Setup) -> Teacher | None:
    """Fit a forest to the training crops, and have it teach where nothing is labelled.

    Returns
    -------
    Teacher or None
        None, and nothing is changed, where voxels of some class are not labelled at all.
    """
    train = setup.crops.of_role("train")
    teacher = Teacher(train, setup.task, setup.dims, setup.config.seed, torch.get_num_threads())
    if not teacher.complete:
        return None
    if setup.task.taught_by_forest and any(crop.sparse for crop in train):
        setup.sampler.teacher = teacher
        setup.trainer.stroke_bias = torch.from_numpy(teacher.stroke_bias)
    return teacher
