"""Training steps per second, over the network's forward, backward and optimiser alone, and over the machine's peak.

``python benchmarks/training_speed.py`` trains on made-up samples as the program does (sampling, augmentation, loss,
averaging; no previews) and, in turns with it, the same network on random tensors of the same shape and precision.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from figures import Report, matrix_product, ratio, take_turns, use_threads

if TYPE_CHECKING:
    from napari_aitrain.training.setup import Setup

COLUMNS = ("case", "patch", "batch", "steps_per_second", "over_bare", "bare_over_peak", "over_peak", "peak_tflops")


@dataclass(frozen=True)
class Case:
    """One network on one sample; `voxel_size` in nm, z, y, x."""

    name: str
    size: Literal["small", "medium", "large"]
    dims: Literal["2", "3"]
    voxel_size: tuple[float, float, float] = (10.0, 10.0, 10.0)


CASES = (
    Case("2d-small", "small", "2"),
    Case("2d-medium", "medium", "2"),
    Case("2d-large", "large", "2"),
    Case("3d-small-anisotropic", "small", "3", (40.0, 10.0, 10.0)),
    Case("3d-large-anisotropic", "large", "3", (40.0, 10.0, 10.0)),
    Case("3d-small-isotropic", "small", "3"),
    Case("3d-large-isotropic", "large", "3"),
)


def set_up(case: Case, precision: Literal["auto", "float32", "bfloat16"], folder: Path) -> Setup:
    """Return what a training of instances in a made-up sample works with."""
    from napari_aitrain.jobs.given import config_from
    from napari_aitrain.samples import em_volume_3d, nuclei_2d
    from napari_aitrain.training.crops import freeze_crops
    from napari_aitrain.training.setup import prepare

    if case.dims == "2":
        sample = nuclei_2d(size=1024, count=1100)
        image, labels = sample.image[0, 0], sample.labels[0]
    else:
        sample = em_volume_3d(shape=(64, 256, 256), voxel_size=case.voxel_size)
        image, labels = sample.image[0], sample.labels
    settings = {"dims": case.dims, "network": case.size, "precision": precision, "voxel_size": sample.voxel_size}
    place = folder / case.name
    place.mkdir()
    config = config_from(image, labels, None, place, settings)
    return prepare(config, freeze_crops(config, place), place / "crops")


def whole_step(setup: Setup) -> Callable[[], object]:
    """Return a step as the program takes it: batch, augmentation, loss, optimiser, average."""
    return lambda: setup.trainer.step(setup.sampler.batch(setup.batch_size, setup.device, setup.trainer.steps), 1.0)


def bare_step(setup: Setup) -> Callable[[], object]:
    """Return a step of a copy of the network on random tensors, with the mean square as its loss."""
    import torch

    trainer = setup.trainer
    network = copy.deepcopy(trainer.network).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    space = setup.sampler.patch_shape[3 - setup.dims :]
    image = torch.randn(setup.batch_size, setup.network.in_channels, *space)
    image = image.contiguous(memory_format=trainer.memory_format)
    target = torch.randn(setup.batch_size, setup.network.heads, *space)

    def step() -> None:
        with torch.autocast("cpu", trainer.precision, enabled=trainer.precision != torch.float32):
            output = network(image)
        loss = torch.nn.functional.mse_loss(output.float(), target)
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def measure(case: Case, chosen: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Return the figures of one case."""
    from napari_aitrain.nets.config import count_flops

    setup = set_up(case, chosen.precision, folder)
    product, product_flops = matrix_product(setup.trainer.precision)
    whole = whole_step(setup)
    for _ in range(chosen.warm_up):
        # Targets are made and crops are read when they are first met.
        whole()
    seconds = take_turns({"whole": whole, "bare": bare_step(setup), "product": product}, chosen.rounds)
    flops = 3 * count_flops(setup.network, setup.sampler.patch_shape) * setup.batch_size
    return {
        "case": case.name,
        "patch": "x".join(map(str, setup.sampler.patch_shape)),
        "batch": setup.batch_size,
        "precision": str(setup.trainer.precision).removeprefix("torch."),
        "steps_per_second": ratio([1.0] * chosen.rounds, seconds["whole"]),
        "over_bare": ratio(seconds["bare"], seconds["whole"]),
        "bare_over_peak": ratio(seconds["product"], seconds["bare"], flops / product_flops),
        "over_peak": ratio(seconds["product"], seconds["whole"], flops / product_flops),
        "peak_tflops": ratio([product_flops / 1e12] * chosen.rounds, seconds["product"]),
    }


def main() -> None:
    """Measure the cases that were chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES], help="all when not given")
    parser.add_argument("--rounds", type=int, default=15, help="timed steps of each")
    parser.add_argument("--warm-up", type=int, default=4, help="steps before the timing")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--threads", type=int, help="as many as cores when not given")
    chosen = parser.parse_args()
    threads = use_threads(chosen.threads)
    report = Report("training_speed", COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if not chosen.cases or case.name in chosen.cases:
                report.add(**measure(case, chosen, Path(folder)), threads=threads)
    report.close()


if __name__ == "__main__":
    main()
