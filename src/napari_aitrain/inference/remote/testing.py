"""*Test connection*: a small image is sent, and what came of it is told step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import AitrainError, ConfigError, RemoteError
from ...words import sentence
from .asking import ask, classes_of, mask_of, scores_of
from .boxes import boxes_of
from .client import Client
from .config import RemoteConfig
from .described import Served, card_of, describe
from .troubles import ADDRESS, TIMED_OUT, TLS, TROUBLES, UNREACHABLE

_SIDE = 128
_NO_CONNECTION = {ADDRESS, UNREACHABLE, TIMED_OUT, TLS}
SETTING = "setting"


@dataclass(frozen=True)
class Step:
    """One thing that was tried.

    Parameters
    ----------
    what : str
        A sentence for people.
    passed : bool
        Whether it went well.
    """

    what: str
    passed: bool


@dataclass
class Checked:
    """What a test has found.

    Parameters
    ----------
    steps : list of Step
        In their order; the last one failed if `error` is there.
    trouble : str
        One of `troubles.TROUBLES`, ``setting`` for one that must be mended here, or empty.
    error : AitrainError or None
        What was wrong, what was expected, what to do.
    seconds : float
        That the last answer took.
    """

    steps: list[Step] = field(default_factory=list)
    trouble: str = ""
    error: AitrainError | None = None
    seconds: float = 0.0

    @property
    def works(self) -> bool:
        """Whether the model can be used."""
        return self.error is None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        told = {} if self.error is None else self.error.as_dict()
        steps = [{"what": step.what, "passed": step.passed} for step in self.steps]
        return {"works": self.works, "trouble": self.trouble, "steps": steps, "seconds": self.seconds, **told}


def check_connection(
    config: RemoteConfig,
    headers: Mapping[str, str] | None = None,
    image: npt.NDArray[Any] | None = None,
    opened: Callable[[Client], None] = lambda client: None,
) -> Checked:
    """Try a remote model; never raises for what a server does.

    Parameters
    ----------
    config : RemoteConfig
        Where, and in which form.
    headers : mapping of str to str, optional
        With the key; those of the keyring if not given.
    image : ndarray of float32, shape (c, y, x), optional
        To send; a made one with blobs if not given. It is scaled like a normalised image.
    opened : callable, optional
        Called with what asks, whose `close` gives the test up.
    """
    checked = Checked()
    client: Client | None = None
    # A test is to say "busy", not to wait for it.
    quick = config.model_copy(update={"waiting": config.waiting.model_copy(update={"busy": 0.0})})
    try:
        client = Client(quick, headers)
        opened(client)
        _try(client, checked, image)
    except RemoteError as error:
        checked.trouble, checked.error = error.trouble, error
        if client is not None and error.trouble not in _NO_CONNECTION and not checked.steps:
            checked.steps.append(Step(f"{client.where} can be reached", True))
        checked.steps.append(Step(f"{TROUBLES.get(error.trouble, 'It does not work')}: {error.what}", False))
    except AitrainError as error:
        checked.trouble, checked.error = SETTING, error
        checked.steps.append(Step(sentence(error.what), False))
    finally:
        if client is not None:
            client.close()
    return checked


def sample(channels: int) -> npt.NDArray[np.float32]:
    """Return a small image of bright discs on a dark ground, 0 … 1, shape (c, y, x)."""
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    image = 0.1 + 0.05 * np.sin(x / 9) * np.cos(y / 7)
    for cy, cx, radius in ((30, 34, 14), (40, 92, 18), (92, 40, 20), (94, 98, 12)):
        image = np.maximum(image, np.clip((radius - np.hypot(y - cy, x - cx)) / 3, 0, 0.9))
    return np.repeat(image.astype(np.float32)[None], channels, axis=0)


def _try(client: Client, checked: Checked, image: npt.NDArray[Any] | None) -> None:
    if client.config.form == "aitrain":
        _try_ours(client, checked)
        return
    image = sample(client.config.channels or 1) if image is None else image
    answer, sent = ask(client, image)
    checked.seconds = answer.seconds
    checked.steps.append(Step(f"{client.where} answers, after {answer.seconds:.2f} s", True))
    sizes = (sent.shape[1], sent.shape[2]), (image.shape[1], image.shape[2])
    config = client.config
    if config.answer == "scores":
        scores = scores_of(client, answer)
        named = ", ".join(f"{name} {score:.2f}" for name, score in zip(config.classes.values(), scores, strict=True))
        checked.steps.append(Step(f"The scores can be used: {named or 'no class is mapped'}", True))
    elif config.answer == "boxes":
        boxes = boxes_of(client, answer, *sizes)
        checked.steps.append(Step(f"The boxes can be used: {len(boxes)} of your classes in the test image", True))
    else:
        _tell_mask(checked, config, mask_of(client, answer, *sizes))
    _check_mapped(config)


def _tell_mask(checked: Checked, config: RemoteConfig, mask: npt.NDArray[np.int32]) -> None:
    values = np.unique(mask)
    said = ", ".join(map(str, values[:8])) + (" …" if len(values) > 8 else "")
    text = f"The mask can be used: {mask.shape[1]} × {mask.shape[0]} pixels with {said}"
    if config.answer == "classes":
        left = [int(v) for v in values if v and not np.any(classes_of(config, np.asarray([[v]])))]
        text += f"; left out: {', '.join(map(str, left[:8]))}" if left else ""
    checked.steps.append(Step(text, True))


def _check_mapped(config: RemoteConfig) -> None:
    if config.answer in ("classes", "scores") and not config.classes:
        raise ConfigError(
            "no output is mapped to a class of yours, so everything would be background",
            "at least one output with a class", "map the outputs that you want",
        )  # fmt: skip


def _try_ours(client: Client, checked: Checked) -> None:
    from .network import RemoteNetwork

    served: Served = describe(client)
    card = card_of(served, client.where)
    what = f"{client.where} has the model {card.name} ({card.task}, {card.dims}-D) on {served.device}"
    checked.steps.append(Step(what, True))
    network = RemoteNetwork(client, served, served.fingerprint, card.dims)
    side = [max(m, 64 // m * m) for m in served.multiple]
    depth = 1 if card.dims == 2 else max(side[0], 1)
    image = np.zeros((max(1, int(card.network.get("in_channels", 1))), depth, side[1], side[2]), np.float32)
    began = time.monotonic()
    network.maps(image, (0, 0, 0))
    checked.seconds = time.monotonic() - began
    checked.steps.append(Step(f"It answers a small image after {checked.seconds:.2f} s", True))
