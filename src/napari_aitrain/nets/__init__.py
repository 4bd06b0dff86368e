"""Network architectures, and the choice of device and precision. Importing this package does not import torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .cellpose_config import CellposeConfig
from .config import NetworkConfig
from .configs import AnyNetworkConfig, read_network
from .presets import choose_network

if TYPE_CHECKING:
    from .device import choose_device, choose_precision
    from .network import Network, build_network
    from .runner import InferenceNetwork

__all__ = [
    "AnyNetworkConfig",
    "CellposeConfig",
    "InferenceNetwork",
    "Network",
    "NetworkConfig",
    "build_network",
    "choose_device",
    "choose_network",
    "choose_precision",
    "read_network",
]

_NEEDS_TORCH = {
    "InferenceNetwork": "runner",
    "Network": "network",
    "build_network": "network",
    "choose_device": "device",
    "choose_precision": "device",
}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TORCH:
        return getattr(importlib.import_module(f".{_NEEDS_TORCH[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
