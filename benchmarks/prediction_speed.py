"""Prediction: voxels per second over the bare network, over MONAI's sliding window, and over the machine's peak.

``python benchmarks/prediction_speed.py`` predicts random images with networks of random weights, which take as long
as trained ones. What is compared takes turns in one run:

- `over_bare`: against one batch through the network alone, per voxel that the network was given, halos included.
- `over_monai_same_tile`: against MONAI with windows as large as the tiles that this package chooses.
- `over_monai_patch`: against MONAI with windows as large as the patches of a training, which is how it is used.
- `over_monai_same_window`: the same, and this package made to take those windows and that overlap too.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from figures import Report, Work, matrix_product, ratio, take_turns, use_threads

if TYPE_CHECKING:
    from napari_aitrain.geometry import Triple
    from napari_aitrain.nets import InferenceNetwork
    from napari_aitrain.tasks.protocol import FloatArray, Task

COLUMNS = (
    "case",
    "tile",
    "mvoxel_s",
    "over_bare",
    "over_peak",
    "over_monai_same_tile",
    "over_monai_patch",
    "over_monai_same_window",
    "mpixel_s_core",
)
OVERLAP = 0.25


@dataclass(frozen=True)
class Case:
    """One network and the shape (z, y, x) of the image that it predicts; `voxel_size` in nm, z, y, x."""

    name: str
    size: Literal["small", "medium", "large"]
    dims: int
    shape: tuple[int, int, int]
    voxel_size: tuple[float, float, float] = (10.0, 10.0, 10.0)


CASES = (
    Case("2d-small", "small", 2, (1, 4096, 4096)),
    Case("2d-large", "large", 2, (1, 4096, 4096)),
    Case("3d-small-anisotropic", "small", 3, (48, 512, 512), (40.0, 10.0, 10.0)),
    Case("3d-large-isotropic", "large", 3, (160, 256, 256)),
)


@dataclass(frozen=True)
class Ready:
    """A network that is ready to predict an image."""

    network: InferenceNetwork
    task: Task
    image: FloatArray
    dims: int

    def predict(self, **settings: Any) -> Work:
        """Return the prediction of the image by this package as a work."""
        from napari_aitrain.inference import predict_array

        return lambda: predict_array(self.network, self.task.activate, self.image, self.dims, **settings)

    def chosen_tile(self) -> tuple[Triple, int]:
        """Return the tile (z, y, x) that this package chooses, and the voxels of all tiles together."""
        from napari_aitrain.inference.predictor import tile_voxels
        from napari_aitrain.inference.tiles import tile_to_fit

        z, y, x = self.image.shape[1:]
        halo, multiple = list(self.network.receptive_field), list(self.network.multiple)
        if self.dims == 2:
            halo[0], multiple[0] = 0, 1
        shape = (1 if self.dims == 2 else z, y, x)
        tiling = tile_to_fit(shape, halo, multiple, tile_voxels(self.network))
        slices = z if self.dims == 2 else 1
        return (tiling[0].tile, tiling[1].tile, tiling[2].tile), slices * math.prod(axis.work for axis in tiling)

    def batch(self, tile: Triple) -> int:
        """Return how many tiles go through the network at once."""
        from napari_aitrain.inference.predictor import tile_voxels

        return max(1, tile_voxels(self.network) // math.prod(tile))

    def bare(self, tile: Triple, batch: int) -> Work:
        """Return one batch through the network alone as a work."""
        import torch

        images = torch.randn(batch, self.image.shape[0], *tile[3 - self.dims :])
        return lambda: self.network(images)

    def monai(self, window: Triple) -> Work:
        """Return the prediction of the image by MONAI as a work."""
        import torch
        from monai.inferers.utils import sliding_window_inference

        images = torch.from_numpy(self.image)[None]
        if self.dims == 2:
            images = images[0].transpose(0, 1)
        roi = window[3 - self.dims :]
        activated: Callable[[Any], Any] = lambda x: self.task.activate(self.network(x))  # noqa: E731

        def work() -> None:
            with torch.inference_mode():
                sliding_window_inference(
                    images, roi, self.batch(window), activated, overlap=OVERLAP, mode="gaussian", progress=False
                )

        return work


def get_ready(case: Case, precision: str, shrink: int) -> Ready:
    """Return the network of a case and a random image."""
    import torch

    from napari_aitrain.nets import InferenceNetwork, build_network, choose_device, choose_network, choose_precision
    from napari_aitrain.tasks import make_task

    device = choose_device("cpu")
    task = make_task("instances", {}, (0, 1))
    config = choose_network(case.size, case.dims, 1, task.heads, case.voxel_size)
    torch.manual_seed(0)
    network = InferenceNetwork(build_network(config), device, choose_precision(device, precision))
    z, y, x = case.shape
    image = np.random.default_rng(0).random((1, z, y // shrink, x // shrink), np.float32)
    return Ready(network, task, image, case.dims)


def measure(case: Case, chosen: argparse.Namespace) -> dict[str, object]:
    """Return the figures of one case."""
    from napari_aitrain.nets.config import count_flops
    from napari_aitrain.training.setup import patch_shape

    ready = get_ready(case, chosen.precision, chosen.shrink)
    z, y, x = ready.image.shape[1:]
    tile, work = ready.chosen_tile()
    count = min(ready.batch(tile), work // math.prod(tile))
    patch = patch_shape(ready.network.config, [(z, y, x)])
    halo = [round(n * OVERLAP / 2) if ready.dims == 3 or axis else 0 for axis, n in enumerate(patch)]
    product, product_flops = matrix_product(ready.network.precision)
    works = {
        "whole": ready.predict(),
        "bare": ready.bare(tile, count),
        "same_tile": ready.monai(tile),
        "patch": ready.monai(patch),
        "own_patch": ready.predict(tile_shape=patch, overlap=halo),
        "product": product,
    }
    seconds = take_turns(works, chosen.rounds)
    flops = count_flops(ready.network.config, tile) * (work / math.prod(tile))
    return {
        "case": case.name,
        "image": f"{z}x{y}x{x}",
        "tile": "x".join(map(str, tile)),
        "patch": "x".join(map(str, patch)),
        "batch": count,
        "precision": str(ready.network.precision).removeprefix("torch."),
        "mvoxel_s": ratio([z * y * x / 1e6] * chosen.rounds, seconds["whole"]),
        "given_over_kept": work / (z * y * x),
        "over_bare": ratio(seconds["bare"], seconds["whole"], work / (count * math.prod(tile))),
        "over_peak": ratio(seconds["product"], seconds["whole"], flops / product_flops),
        "over_monai_same_tile": ratio(seconds["same_tile"], seconds["whole"]),
        "over_monai_patch": ratio(seconds["patch"], seconds["whole"]),
        "over_monai_same_window": ratio(seconds["patch"], seconds["own_patch"]),
    }


def measure_preview(chosen: argparse.Namespace, threads: int) -> dict[str, object]:
    """Return how fast the network that a training without further settings uses predicts 512 × 512 pixels."""
    from napari_aitrain.nets import choose_device
    from napari_aitrain.training.config import TrainConfig
    from napari_aitrain.training.setup import auto_size

    size = auto_size(TrainConfig(), choose_device("cpu"))
    ready = get_ready(Case("preview", size, 2, (1, 512, 512)), chosen.precision, 1)
    seconds = take_turns({"preview": ready.predict()}, 5 * chosen.rounds)["preview"]
    rate = ratio([512 * 512 / 1e6] * len(seconds), seconds)
    return {"case": f"preview-2d-{size}", "mvoxel_s": rate, "mpixel_s_core": rate / threads}


def main() -> None:
    """Measure the cases that were chosen."""
    names = [*(case.name for case in CASES), "preview"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=5, help="timed predictions of each")
    parser.add_argument("--shrink", type=int, default=1, help="divide the images' y and x by this, for a quick try")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--threads", type=int, help="as many as cores when not given")
    chosen = parser.parse_args()
    threads = use_threads(chosen.threads)
    report = Report("prediction_speed", COLUMNS)
    for case in CASES:
        if case.name in chosen.cases:
            report.add(**measure(case, chosen), threads=threads)
    if "preview" in chosen.cases:
        report.add(**measure_preview(chosen, threads), threads=threads)
    report.close()


if __name__ == "__main__":
    main()
