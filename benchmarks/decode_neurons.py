"""Speed and memory of decoding affinities into fragments and a merge tree, beside stock parts.

``python benchmarks/decode_neurons.py`` makes up affinities of a volume of cells with noise, decodes them, and does the
same with scikit-image's watershed on SciPy's distance and a region graph by ``np.unique``, in turns. The ratio holds on
any machine; ``--size 128`` for a quick try, ``--affinities FILE.npy`` (uint8 or float, channels first, offsets as made
up here) for real ones. Memory is the peak of a process that holds the affinities as bytes and decodes them once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from figures import Report

OFFSETS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (3, 0, 0), (0, 3, 0), (0, 0, 3), (9, 0, 0), (0, 9, 0), (0, 0, 9))
COLUMNS = ("voxels", "mvoxel_per_s", "mvoxel_per_cpu_s", "peer_mvoxel_per_s", "ratio", "fragments", "merges")
MEMORY = ("affinities_mib", "peak_mib", "times_affinities")


def make_affinities(size: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return affinities of cells of about 4,000 voxels, blurred and noisy as a network's, as bytes."""
    random = np.random.default_rng(seed)
    coarse = random.random((size // 16 + 2,) * 3)
    field = ndimage.zoom(coarse, 16, order=1)[:size, :size, :size]
    places = ndimage.distance_transform_edt(
        random.random((size,) * 3) > 1 / 4096, return_distances=False, return_indices=True
    )
    cells = np.ravel_multi_index(tuple(places), (size,) * 3)
    maps = np.empty((len(OFFSETS), size, size, size), np.uint8)
    for values, offset in zip(maps, OFFSETS, strict=True):
        here = tuple(slice(s, None) for s in offset)
        before = tuple(slice(None, -s or None) for s in offset)
        same = np.ones((size,) * 3, np.float32)
        same[here] = cells[here] == cells[before]
        noise = ndimage.gaussian_filter(random.normal(0, 1, same.shape).astype(np.float32), 1.0)
        values[...] = (255 * (ndimage.gaussian_filter(same, 0.7) + noise * 0.4 * field)).clip(0, 255)
    return maps


def stock(maps: npt.NDArray[np.uint8]) -> int:
    """Decode up to the region graph with scikit-image, SciPy and NumPy; return the number of contacts."""
    inside = maps[:3].min(axis=0) >= 128
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), 1.5)
    seeds = label(distance == ndimage.maximum_filter(distance, 3))
    fragments = watershed(-distance, seeds)
    width, keys = int(fragments.max()) + 1, []
    for values, offset in zip(maps, OFFSETS, strict=True):
        here = tuple(slice(s, None) for s in offset)
        before = tuple(slice(None, -s or None) for s in offset)
        one, other = fragments[here], fragments[before]
        apart = one != other
        low, high = np.minimum(one[apart], other[apart]), np.maximum(one[apart], other[apart])
        key, place = np.unique(low.astype(np.int64) * width + high, return_inverse=True)
        np.bincount(place, values[here][apart])
        keys.append(key)
    return len(np.unique(np.concatenate(keys)))


def decode(maps: npt.NDArray[np.uint8]) -> Any:
    """Decode with this package."""
    from napari_aitrain.tasks.agglomeration import decode_affinities

    return decode_affinities(maps, OFFSETS, (10.0, 10.0, 10.0), 3)


def peak_memory(path: str, answer: Any) -> None:
    """Send the bytes of the affinities, and how much a process needs that decodes them, these included.

    Resident memory is sampled: the peak that the system keeps for a process begins with that of its parent.
    """
    maps = np.load(path)
    decode(maps[:, :4, :32, :32])
    process, done = psutil.Process(), threading.Event()
    before = most = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    decode(maps)
    done.set()
    watcher.join()
    answer.send((maps.nbytes, most - before + maps.nbytes))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="voxels along each side")
    parser.add_argument("--affinities", type=Path, help="NPY file with affinities, instead of made-up ones")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("."), help="where a file of the affinities' size may lie")
    options = parser.parse_args()
    from napari_aitrain.tasks.fragments import as_bytes

    maps = as_bytes(np.load(options.affinities)) if options.affinities else make_affinities(options.size)
    voxels = maps[0].size
    ours, cpu, peer, objects = [], [], [], None
    for _ in range(options.rounds):
        begun, used = time.perf_counter(), time.process_time()
        objects = decode(maps)
        ours.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
        begun = time.perf_counter()
        stock(maps)
        peer.append(time.perf_counter() - begun)
    speed = Report("decode_neurons", COLUMNS)
    speed.add(
        voxels=voxels, mvoxel_per_s=voxels / min(ours) / 1e6, mvoxel_per_cpu_s=voxels / min(cpu) / 1e6,
        peer_mvoxel_per_s=voxels / min(peer) / 1e6, ratio=min(peer) / min(ours),
        fragments=len(objects.merges), merges=len(objects.merges.pairs),
    )  # fmt: skip
    speed.close()
    path = options.folder / "decode_neurons.tmp.npy"
    np.save(path, maps)
    try:
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=peak_memory, args=(str(path), sender))
        process.start()
        held, peak = receiver.recv()
        process.join()
    finally:
        path.unlink()
    memory = Report("decode_neurons_memory", MEMORY)
    memory.add(affinities_mib=held / 2**20, peak_mib=peak / 2**20, times_affinities=peak / held)
    memory.close()


if __name__ == "__main__":
    main()
