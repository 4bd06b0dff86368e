"""What a server of this program says of its model."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import RemoteError
from ...models import ModelCard
from . import troubles
from .client import Client

MOST_CARD = 2**22
_EXPECTED = "a server that was started with `napari-aitrain serve MODEL`"

_Extent = Annotated[int, Field(ge=0, le=65536)]
_Step = Annotated[int, Field(ge=1, le=4096)]


class Served(BaseModel):
    """Answer to ``GET /model``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    program: str
    format: Annotated[int, Field(ge=1)] = 1
    version: Annotated[str, Field(max_length=100)] = ""
    fingerprint: Annotated[str, Field(min_length=8, max_length=128)]
    receptive_field: tuple[_Extent, _Extent, _Extent]
    multiple: tuple[_Step, _Step, _Step]
    most_voxels: Annotated[int, Field(ge=2**12, le=2**26)]
    heads: Annotated[int, Field(ge=1, le=4096)]
    outputs: Annotated[int, Field(ge=1, le=4096)]
    device: Annotated[str, Field(max_length=200)] = ""
    card: dict[str, Any]


FORMAT = 1
PROGRAM = "napari-aitrain"


def describe(client: Client) -> Served:
    """Ask a server for its model.

    Raises
    ------
    RemoteError
        If it is no server of this program, or a newer one.
    """
    try:
        answer = client.get("/model", MOST_CARD)
    except RemoteError as error:
        if error.trouble != troubles.NOT_SUCH:
            raise
        raise RemoteError(error.what, _EXPECTED, _other_form(), troubles.NOT_SUCH) from None
    data = answer.as_json(client.where, _EXPECTED, client.secrets)
    if not isinstance(data, dict) or data.get("program") != PROGRAM:
        raise RemoteError(f"{client.where} is no server of this program", _EXPECTED, _other_form(), troubles.NOT_SUCH)
    if isinstance(data.get("format"), int) and data["format"] > FORMAT:
        raise RemoteError(
            f"{client.where} runs a newer version ({troubles.excerpt(str(data.get('version')).encode())})",
            f"format {FORMAT} or older", "update napari-aitrain here", troubles.WRONG,
        )  # fmt: skip
    try:
        return Served.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise troubles.wrong(client.where, f"{where}: {first['msg']}", "the description of a model") from None


def card_of(served: Served, where: str) -> ModelCard:
    """Return the card of a served model.

    Raises
    ------
    RemoteError
        If it is none.
    """
    try:
        return ModelCard.model_validate(served.card).model_copy(update={"weights_sha256": served.fingerprint})
    except ValidationError as error:
        first = error.errors()[0]
        said = f"a card in which {'.'.join(map(str, first['loc']))} is wrong: {first['msg']}"
        raise troubles.wrong(where, said, "the card of a model", "update napari-aitrain here or there") from None


def _other_form() -> str:
    return "if it is another kind of server, choose its form of request, and enter the full address of the model"
