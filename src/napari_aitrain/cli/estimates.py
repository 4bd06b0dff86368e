"""What `predict --estimate` says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..words import rough_time, spoken_size
from .output import Output


def tell_estimate(output: Output, model: Path, image: str, device: str, resample: bool, **given: Any) -> None:
    """Say what a prediction of an image would take; `given` are the settings of `open_volume`."""
    from ..inference.estimating import estimate
    from ..inference.run import open_for
    from ..location import located
    from ..models import load_model

    opened = load_model(model)
    volume = open_for(located(image), len(opened.card.channels), **given)
    found = estimate(opened, volume, device=device, resample=resample)
    z, y, x = volume.shape
    output.say(
        f"{image}: {x} × {y} × {z} voxels in {found.network_blocks:,} blocks, about {rough_time(found.seconds)} by one "
        f"process on this machine, and at most {spoken_size(found.bytes_needed)} on the disk meanwhile"
    )
    output.result({"image": image, **asdict(found)})
