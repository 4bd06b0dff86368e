"""Where and in which precision to compute."""

from __future__ import annotations

import torch

from ..errors import ConfigError, DeviceError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises
    ------
    ConfigError
        If the name is not known.
    DeviceError
        If the device is not there.
    """
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdigit())):
        raise ConfigError(f"device {name!r} is not known", "auto, cpu, cuda, cuda:N or mps", "use --device auto")
    if kind == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if kind == "cuda" and not (torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count()):
        raise DeviceError(
            f"device {name!r} is not there: torch {torch.__version__} sees {torch.cuda.device_count()} NVIDIA GPUs",
            "an NVIDIA GPU, its driver and a torch built for CUDA",
            "use --device auto, or install a CUDA build of torch (see docs/install.md)",
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device 'mps' is not there", "a Mac with Apple silicon", "use --device auto")
    return torch.device(name)


def choose_precision(device: torch.device, name: str = "auto") -> torch.dtype:
    """Return the type to compute in: bfloat16 where the device computes in it, else float32.

    Parameters
    ----------
    device : torch.device
        Where the network will run.
    name : str
        ``auto``, ``float32`` or ``bfloat16``.
    """
    if name == "float32":
        return torch.float32
    if name == "bfloat16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu":
        # Older versions of torch do not tell.
        able: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16")
        return torch.bfloat16 if native else torch.float32
    return torch.float32


def describe_device(device: torch.device) -> str:
    """Return the device as people know it, such as the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
