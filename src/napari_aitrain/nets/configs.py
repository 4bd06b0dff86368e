"""Which architecture a network is of, as it stands on the card of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from .cellpose_config import CellposeConfig
from .config import NetworkConfig
from .zoo_config import ZooConfig

AnyNetworkConfig = NetworkConfig | CellposeConfig | ZooConfig
_any: TypeAdapter[AnyNetworkConfig] = TypeAdapter(Annotated[AnyNetworkConfig, Field(discriminator="architecture")])


def read_network(data: Mapping[str, Any]) -> AnyNetworkConfig:
    """Return the config in plain data; without an ``architecture`` it is that of a U-Net.

    Raises
    ------
    ValidationError
        If it is not one.
    """
    return _any.validate_python({"architecture": "unet", **data})
