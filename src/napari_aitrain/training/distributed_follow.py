"""The processes of a distributed training that do not lead: they take each step with the leader, and write nothing."""

from __future__ import annotations

from pathlib import Path

from .config import TrainConfig
from .cropset import FOLDER, CropSet
from .distributed import Order, Team
from .setup import Setup, prepare
from .teaching import ask_forest


def follow_training(folder: Path, config: TrainConfig, team: Team) -> None:
    """Do what the leader of a training calls out, until it ends.

    Parameters
    ----------
    folder : Path
        The job folder, which all processes see.
    config : TrainConfig
        The job's settings.
    team : Team
        The processes.

    Raises
    ------
    AitrainError
        If this process cannot go on, or another has failed.
    """
    with team.telling(keep=lambda: None):
        # The leader calls when crops are frozen.
        if team.hear()["kind"] != "prepare":
            return
        setup = prepare(config, CropSet.load(folder), folder / FOLDER, team.device(config.device), team.size)
        team.join(setup)
        while (order := team.hear())["kind"] != "end":
            _obey(order, setup, team, folder)
    team.leave()


def _obey(order: Order, setup: Setup, team: Team, folder: Path) -> None:
    match order["kind"]:
        case "step":
            batch = setup.sampler.batch(setup.batch_size, setup.device, setup.trainer.steps)
            setup.trainer.step(batch, order["factor"], order["teaching"])
        case "back":
            team.share(setup)
        case "forest":
            ask_forest(setup)
        case "crops":
            setup.crops = CropSet.load(folder)
            setup.sampler.use(setup.crops.of_role("train"))
            team.targets(setup.sampler)
