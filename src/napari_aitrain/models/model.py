"""A trained model: what it can be asked for. Its files are the subject of `folder`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from ..errors import ConfigError, ModelError, ScriptNotTrustedError
from .card import ModelCard
from .cellpose_file import read_cellpose

if TYPE_CHECKING:
    import torch

    from ..nets import Network
    from ..tasks.protocol import Task

WEIGHTS = "weights.safetensors"
REMOTE = "remote.json"
"""In the place of weights: where a model answers that runs on a server, see `inference.remote`."""
MOST_SCALED = 4.0
"""Images are not scaled further than this, up or down."""
AGAIN = "copy the model folder again, or train it again"


def bounded_scale(scale: float) -> float:
    """Return a scale no farther from 1 than `MOST_SCALED`."""
    return min(MOST_SCALED, max(1 / MOST_SCALED, scale))


@dataclass(frozen=True)
class Model:
    """A trained model on disk.

    Parameters
    ----------
    folder : Path
        Holds ``model.json`` and ``weights.safetensors``; or a file of weights of Cellpose.
    card : ModelCard
        What is known about the model.
    """

    folder: Path
    card: ModelCard

    @property
    def remote(self) -> bool:
        """Whether the model runs on a server, so that there are no weights here."""
        return (self.folder / REMOTE).is_file()

    def task(self) -> Task:
        """Return the task the model was trained for, with its settings and classes.

        Raises
        ------
        ModelError
            If no such task is installed or the settings are not the task's.
        """
        from ..tasks import make_task, scaled_settings
        from ..tasks.script_store import SCRIPT_COPY

        card = self.card
        try:
            return make_task(card.task, scaled_settings(card.task, card.task_settings, card.scale), card.classes)
        except ConfigError as error:
            remedy, script = error.remedy, self.folder / SCRIPT_COPY
            if isinstance(error, ScriptNotTrustedError) and script.is_file():
                remedy = f"look at {script}; then confirm it with: napari-aitrain scripts trust {script}"
            raise ModelError(f"{self.folder}: {error.what}", error.expected, remedy) from error

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Read the weights, on the CPU; those that were saved in float16 become float32.

        Raises
        ------
        ModelError
            If the file is damaged, or the model runs on a server.
        """
        self._check_here()
        if self.folder.is_file():
            return read_cellpose(self.folder)
        if weights_name(self.card) != WEIGHTS:
            raise ModelError(
                f"{self.card.name} came from the zoo as {weights_name(self.card)}, in which weights cannot be changed",
                "a model that was trained here",
                "predict with it, and train another one from scratch or from a starter model",
            )
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            stored = load((self.folder / WEIGHTS).read_bytes())
        except (SafetensorError, OSError) as error:
            raise damaged(self.folder, str(error)) from error
        return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stored.items()}

    @property
    def learned_diameter(self) -> float:
        """Diameter of the objects that were learned, in voxels of the network.

        Raises
        ------
        ModelError
            If it is not known.
        """
        if self.card.diameter is None:
            raise ModelError(
                f"the model {self.card.name} does not know how large the objects were that it learned",
                "a model of objects, trained by this version",
                "predict without a diameter",
            )
        return self.card.diameter

    def of_diameter(self, diameter: float) -> Model:
        """Return this model for an image whose objects have another diameter: the network sees them as in training.

        Parameters
        ----------
        diameter : float
            Of the image's objects, in voxels of its finest axis. The image is scaled by at most `MOST_SCALED`.

        Raises
        ------
        ModelError
            If the model does not know the diameter of what it learned.
        ConfigError
            If it is not a number above 0.
        """
        learned = self.learned_diameter
        if not 0 < diameter < float("inf"):
            raise ConfigError(f"the diameter is {diameter:g}", "a number of voxels above 0", "write --diameter 30")
        return self.of_scale(bounded_scale(learned / diameter))

    def of_scale(self, scale: float) -> Model:
        """Return this model for images that the network is to see scaled by this."""
        return replace(self, card=self.card.model_copy(update={"scale": scale}))

    def in_dims(self, dims: Literal[2, 3]) -> Model:
        """Return this model for slices or for volumes: Cellpose's network sees slices, and can do either.

        Raises
        ------
        ModelError
            If it was made for the other.
        """
        from ..nets import CellposeConfig, read_network

        network = read_network(self.card.network)
        if isinstance(network, CellposeConfig):
            changed = network.model_copy(update={"dims": dims}).model_dump(mode="json")
            return replace(self, card=self.card.model_copy(update={"dims": dims, "network": changed}))
        if network.dims != dims:
            raise ModelError(
                f"the model {self.card.name} was trained on {'slices' if network.dims == 2 else 'volumes'}",
                f"a {dims}-D model",
                f"train one with --dims {dims}",
            )
        return self

    def network(self) -> Network:
        """Build the network with its weights, in evaluation mode, on the CPU.

        Raises
        ------
        ModelError
            If the weights do not fit the network of the card.
        """
        import torch

        from ..nets import build_network, read_network
        from ..nets.zoo_config import ZooConfig

        self._check_here()
        try:
            config = read_network(self.card.network)
        except ValidationError as error:
            raise _unfit(self.folder, error) from error
        if isinstance(config, ZooConfig):
            from ..nets.zoo import ZooNetwork

            return ZooNetwork(config, self.folder / config.file).eval()
        weights = self.state_dict()
        try:
            # Weights that are replaced at once need not be made.
            with torch.device("meta"):
                module = build_network(config)
            module.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise _unfit(self.folder, error) from error
        return module.eval()

    def _check_here(self) -> None:
        if self.remote:
            raise ModelError(
                f"the weights of {self.card.name} are on a server", "a model with weights", "choose another model"
            )


def weights_name(card: ModelCard) -> str:
    """Return the name of the file of weights in a model's folder."""
    return str(card.network.get("file", WEIGHTS)) if card.network.get("architecture") == "zoo" else WEIGHTS


def _unfit(folder: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{folder}: the weights do not fit the network of its card: {str(error).splitlines()[0]}",
        "a card and weights that were saved together",
        AGAIN,
    )


def damaged(folder: Path, why: str) -> ModelError:
    """Return the error for weights that cannot be read, or are others than those of the card."""
    return ModelError(f"{folder / WEIGHTS} is damaged: {why}", "the weights as they were saved", AGAIN)
