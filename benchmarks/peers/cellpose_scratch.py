"""Peer: Cellpose 3.1.1.3 from scratch, in an environment of its own, for a given time.

Called with any Python, it makes the environment when it is not there, and runs itself inside. Network, augmentation,
flows, loss, optimiser and decoding are Cellpose's; the loop is ours, because its own has no end by time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

REQUIREMENTS = ("cellpose==3.1.1.3", "torch==2.13.0", "tifffile")
BATCH, PATCH, LEARNING_RATE, WEIGHT_DECAY = 8, 224, 0.005, 1e-5
MIN_MASKS = 5
INSIDE = "AITRAIN_INSIDE_CELLPOSE"


def make_environment(folder: Path) -> Path:
    """Make the environment if it is not there; return its Python."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "cellpose-is-ready"
    if not ready.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True, stdout=sys.stderr)
        ready.touch()
    return python


class Examples:
    """Normalised images, with flows that are computed when they are first needed, as part of the time."""

    def __init__(self, folder: Path) -> None:
        from cellpose import transforms, utils

        images, labels = (read_folder(folder / kind) for kind in ("images", "labels"))
        # Cellpose leaves out images with fewer masks than this; not if that were all of them.
        kept = [n for n in images if labels[n].max() >= MIN_MASKS] or list(images)
        self.images = [two_channels(transforms.normalize_img(images[n][..., None])[..., 0]) for n in kept]
        self.labels = [labels[n] for n in kept]
        self.diameters = [max(float(utils.diameters(one)[0]), 5.0) for one in self.labels]
        self.flows: dict[int, npt.NDArray[np.float32]] = {}

    def batch(self, indices: list[int], diam_mean: float) -> tuple[Any, Any]:
        """Return augmented images (b, 2, y, x) and targets (b, 3, y, x)."""
        import numpy as np
        import torch
        from cellpose import dynamics, transforms

        for index in indices:
            if index not in self.flows:
                found = dynamics.labels_to_flows([self.labels[index].astype(np.int32)], device=torch.device("cpu"))
                self.flows[index] = found[0][1:]
        scales = np.array([self.diameters[i] / diam_mean for i in indices])
        found = transforms.random_rotate_and_resize(
            [self.images[i] for i in indices],
            Y=[self.flows[i] for i in indices],
            rescale=scales,
            scale_range=0.5,
            xy=(PATCH, PATCH),
        )
        return found[0], found[1]


def train(folder: Path, budget: float, seed: int) -> tuple[Any, int]:
    """Train for `budget` seconds from the call; return the model and the number of steps."""
    import numpy as np
    import torch
    from cellpose import models
    from cellpose.train import _loss_fn_seg

    begun = time.perf_counter()
    np.random.seed(seed)
    torch.manual_seed(seed)
    model = models.CellposeModel(gpu=torch.cuda.is_available(), pretrained_model=False, model_type=None)
    examples, net = Examples(folder), model.net
    model.diam_labels = float(np.mean(examples.diameters))
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps, longest, order = 0, 0.0, []
    while not steps or time.perf_counter() - begun + longest < budget:
        at = time.perf_counter()
        share = (at - begun) / budget
        # As Cellpose does by epochs: a short warm-up, constant, and down at the end.
        factor = min(1.0, (share + 0.01) / 0.03, max(0.02, (1 - share) / 0.15))
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * factor
        while len(order) < BATCH:
            order += np.random.permutation(len(examples.images)).tolist()
        indices, order = order[:BATCH], order[BATCH:]
        net.train()
        images, targets = examples.batch(indices, model.diam_mean)
        loss = _loss_fn_seg(targets, net(torch.from_numpy(images).to(model.device))[0], model.device)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
        longest = max(0.9 * longest, time.perf_counter() - at)
    net.eval()
    return model, steps


def two_channels(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (2, y, x): the image and the empty second channel that the network expects."""
    import numpy as np

    return np.stack([image, np.zeros_like(image)]).astype(np.float32)


def read_folder(folder: Path) -> dict[str, Any]:
    """Return the TIFF images of a folder by name."""
    import tifffile

    return {path.name.partition(".")[0]: tifffile.imread(path).squeeze() for path in sorted(folder.glob("*.tif"))}


def run(chosen: argparse.Namespace) -> None:
    """Train, predict, and print figures as one JSON line."""
    import numpy as np
    import tifffile
    import torch

    torch.set_num_threads(chosen.threads)
    begun = time.perf_counter()
    model, steps = train(chosen.train, chosen.budget, chosen.seed)
    trained = time.perf_counter()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, image in read_folder(chosen.test).items():
        masks = model.eval(image, channels=[0, 0], diameter=model.diam_labels)[0]
        tifffile.imwrite(chosen.out / f"{name}.tif", np.asarray(masks, np.int32))
    seconds = {"train_seconds": trained - begun, "predict_seconds": time.perf_counter() - trained}
    print(json.dumps({"steps": steps, **seconds}))


def main() -> None:
    """Read the command line, and go on in the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", type=Path, required=True, help="folder of the environment, outside the project")
    parser.add_argument("--train", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--test", type=Path, required=True, help="folder of images to predict")
    parser.add_argument("--out", type=Path, required=True, help="folder for the labels")
    parser.add_argument("--budget", type=float, default=60, help="seconds of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    if os.environ.get(INSIDE):
        run(chosen)
        return
    python = make_environment(chosen.env)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {INSIDE: "1"}
    command = [str(python), __file__, *sys.argv[1:]]
    raise SystemExit(subprocess.run(command, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
