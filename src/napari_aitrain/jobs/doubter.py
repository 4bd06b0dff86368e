"""Asks a worker process for uncertainty that the maps of a stored prediction do not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .asker import Asker, Cancelled, Progress
from .predict_config import PredictConfig


class Doubter(Asker):
    """A worker process that runs networks again."""

    def write(
        self,
        prediction: PredictConfig,
        store: Path,
        others: Sequence[Path],
        to: Path,
        cancelled: Cancelled,
        progress: Progress | None = None,
    ) -> bool:
        """Write how much further answers disagree with a stored prediction; see `write_disagreement`.

        Parameters
        ----------
        prediction : PredictConfig
            What was predicted.
        store : Path
            The stored prediction.
        others : sequence of Path
            Models to compare with; none means the model itself on mirrored images.
        to : Path
            Of the zarr array.
        cancelled, progress : callable
            See `Asker.ask`.

        Returns
        -------
        bool
            False if it was cancelled.

        Raises
        ------
        AitrainError
            If it cannot be done, or the worker has gone.
        """
        request = {
            "prediction": prediction.model_dump(mode="json"), "store": store, "others": list(others), "to": to,
        }  # fmt: skip
        return bool(
            self.ask("uncertainty", request, lambda _: None, lambda _, told: True, cancelled, progress, wait=False)
        )
