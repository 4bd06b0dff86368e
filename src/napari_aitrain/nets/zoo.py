"""Runs a network from the BioImage Model Zoo, as ONNX or TorchScript, where a network of this package would run."""

from __future__ import annotations

import itertools
import re
import warnings
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ModelError
from .network import Network
from .zoo_config import Binary, Clip, Linear, Logistic, ZooConfig

SURE = 1e-6
"""Shares nearer to 0 and 1 than this are told apart no more."""
# Loading TorchScript runs code in its own small language, which can read and write files by these.
_REACHES_OUT = re.compile(r"\bfrom_file\b|\btorch\.(save|load)\b|\bops\.(?!aten|prim|quantized|torchvision)\w+")
_MOST_SOURCE = 2**24


class _Engine(Protocol):
    """Runs the file."""

    def __call__(self, batch: Tensor) -> list[Tensor]: ...


class ZooNetwork(Network):
    """A network in a file.

    Parameters
    ----------
    config : ZooConfig
        What is known of it.
    path : Path
        The file.

    Raises
    ------
    ModelError
        If it cannot be run here.
    """

    config: ZooConfig

    def __init__(self, config: ZooConfig, path: Path) -> None:
        super().__init__()
        self.config = config
        self.memory_format = torch.contiguous_format
        self.exact = True
        self._engine: _Engine = _Onnx(path) if config.file.endswith(".onnx") else _Script(path)

    @property
    def encoder(self) -> nn.Module:
        """Nothing of it can be told apart."""
        return self

    def frozen(self, precision: torch.dtype) -> nn.Module:
        """Return the network itself, which only predicts, in float32."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return raw output, (b, heads, *space), for a batch of any extents."""
        return torch.stack([self._maps(self.answer(image)) for image in x])

    def answer(self, image: Tensor) -> Tensor:
        """Return what the file says, and its description makes of it, of one image, (channels, *space)."""
        axes = [
            _places(n, least, step, halo)
            for n, (least, step), halo in zip(image.shape[1:], self.config.sizes, self.config.halo, strict=True)
        ]
        result: Tensor | None = None
        for places in itertools.product(*axes):
            part = image[(slice(None), *(slice(start, start + tile) for start, tile, _, _ in places))]
            found = self._run(_padded(part, [tile for _, tile, _, _ in places]))
            if result is None:
                result = found.new_zeros((len(found), *image.shape[1:]))
            inside = [slice(low - start, high - start) for start, _, low, high in places]
            target = [slice(low, high) for _, _, low, high in places]
            result[(slice(None), *target)] = found[(slice(None), *inside)]
        assert result is not None
        return self._after(result)

    def _run(self, image: Tensor) -> Tensor:
        """Return the chosen output for an image of valid extents, as (channels, *space)."""
        config = self.config
        order = "c" + "zyx"[3 - config.dims :]
        batch = image.to(getattr(torch, config.dtype))
        if "c" not in config.inputs:
            batch, order = batch[0], order[1:]
        batch = batch.permute([order.index(axis) for axis in config.inputs.replace("b", "")])
        if "b" in config.inputs:
            batch = batch.unsqueeze(config.inputs.index("b"))
        found = self._engine(batch.contiguous())
        if config.answer >= len(found) or found[config.answer].ndim != len(config.outputs):
            raise ModelError(
                f"{config.file} gives other outputs than its description says",
                f"an output {config.answer} with the axes {config.outputs}",
                "get the model again, or another version of it",
            )
        answer = found[config.answer].float()
        if "b" in config.outputs:
            answer = answer.select(config.outputs.index("b"), 0)
        rest = config.outputs.replace("b", "")
        if "c" not in rest:
            answer, rest = answer.unsqueeze(0), "c" + rest
        answer = answer.permute([rest.index(axis) for axis in "c" + "zyx"[3 - config.dims :]])
        if answer.shape[1:] != image.shape[1:]:
            raise ModelError(
                f"{config.file} gives {tuple(answer.shape[1:])} voxels for {tuple(image.shape[1:])}",
                "an answer of the size of the image",
                "choose a model whose output is as large as its input",
            )
        return answer

    def _after(self, answer: Tensor) -> Tensor:
        shape = (-1, *[1] * self.config.dims)
        for step in self.config.after:
            if isinstance(step, Linear):
                gain, offset = (answer.new_tensor(part).reshape(shape) for part in (step.gain, step.offset))
                answer = answer * gain + offset
            elif isinstance(step, Clip):
                answer = answer.clamp(step.low, step.high)
            elif isinstance(step, Binary):
                answer = (answer > step.threshold).float()
            elif isinstance(step, Logistic):
                answer = answer.sigmoid() if step.kind == "sigmoid" else answer.softmax(0)
        return answer

    def _maps(self, answer: Tensor) -> Tensor:
        """Return maps as tasks take them, before their logistic function or softmax."""
        config = self.config
        none = torch.full_like(answer[0], 0.0 if config.shares else -1e4)
        found = []
        for source in config.maps:
            if source is None:
                found.append(none)
            elif source >= 0:
                found.append(answer[source])
            else:
                found.append(1 - answer[-1 - source] if config.shares else -answer[-1 - source])
        maps = torch.stack(found)
        if not config.shares:
            return maps
        sure = maps.clamp(SURE, 1 - SURE)
        return sure.log() if config.classes else sure.logit()


def _places(length: int, least: int, step: int, halo: int) -> list[tuple[int, int, int, int]]:
    """Return where a network looks along an axis: start and extent of each tile, and from where to where it counts."""
    if step or length <= least:
        tile = least + (-(-max(0, length - least) // step) * step if step else 0)
        return [(0, tile, 0, length)]
    halo = min(halo, (least - 1) // 4)
    core = least - 2 * halo
    starts = [*range(0, length - least, core), length - least]
    lows = [0, *(start + halo for start in starts[1:])]
    return [(start, least, low, high) for start, low, high in zip(starts, lows, [*lows[1:], length], strict=True)]


def _padded(image: Tensor, extents: list[int]) -> Tensor:
    """Return an image made larger at its ends by what is at its edge."""
    missing = [wanted - n for n, wanted in zip(image.shape[1:], extents, strict=True)]
    if not any(missing):
        return image
    pairs = list(itertools.chain.from_iterable((0, n) for n in reversed(missing)))
    return functional.pad(image[None], pairs, mode="replicate")[0]


class _Onnx:
    def __init__(self, path: Path) -> None:
        try:
            runtime: Any = import_module("onnxruntime")
        except ImportError as error:
            raise ModelError(
                f"{path.parent} is run by onnxruntime, which cannot be imported ({error})",
                "the packages of the extra bioimageio",
                'install them: pip install "napari-aitrain[bioimageio]"',
            ) from error
        self._errors: tuple[type[Exception], ...] = (OSError, RuntimeError, ValueError, *_failures(runtime))
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            # From bytes, so that it cannot name other files to be read.
            self._session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except self._errors as error:
            raise _unusable(path, error) from error
        self._path, self._input = path, self._session.get_inputs()[0].name

    def __call__(self, batch: Tensor) -> list[Tensor]:
        try:
            found = self._session.run(None, {self._input: batch.cpu().numpy()})
        except self._errors as error:
            raise _unusable(self._path, error) from error
        return [torch.from_numpy(one).to(batch.device) for one in found]


class _Script:
    def __init__(self, path: Path) -> None:
        check_torchscript(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                load: Any = torch.jit.load
                self._module = load(path, map_location="cpu").eval()
        except (RuntimeError, OSError, ValueError) as error:
            raise _unusable(path, error) from error
        self._path, self._device = path, torch.device("cpu")

    def __call__(self, batch: Tensor) -> list[Tensor]:
        if batch.device != self._device:
            self._module, self._device = self._module.to(batch.device), batch.device
        try:
            found = self._module(batch)
        except RuntimeError as error:
            if isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            raise _unusable(self._path, error) from error
        return list(found) if isinstance(found, (list, tuple)) else [found]


def check_torchscript(path: Path) -> None:
    """Refuse TorchScript that could read or write files when it is loaded or run.

    Raises
    ------
    ModelError
        If it could, or is no TorchScript.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for text in _sources(archive):
                if match := _REACHES_OUT.search(text):
                    raise ModelError(
                        f"{path} calls {match[0]!r}, by which it could reach files of yours, and is not opened",
                        "a network that only computes",
                        "get the model from somebody you trust, as ONNX",
                    )
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error


def _sources(archive: zipfile.ZipFile) -> Iterator[str]:
    for entry in archive.infolist():
        if "/code/" in entry.filename and entry.filename.endswith(".py"):
            if entry.file_size > _MOST_SOURCE:
                raise zipfile.BadZipFile(f"{entry.filename} is too large for code")
            yield archive.read(entry).decode()


def _failures(runtime: Any) -> tuple[type[Exception], ...]:
    state = runtime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
    return tuple(getattr(state, name) for name in names if hasattr(state, name))


def _unusable(path: Path, error: Exception) -> ModelError:
    lines = str(error).strip().splitlines()
    return ModelError(
        f"{path} cannot be run: {(lines[-1] if lines else type(error).__name__)[:300]}",
        "a network that runs here",
        "get the model again; if that does not help, use another version of it",
    )
