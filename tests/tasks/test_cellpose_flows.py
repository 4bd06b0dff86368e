"""Flows from labels, flows that were moved, and objects from flows: beside the package cellpose."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from small_cellpose import cells

from napari_aitrain.nets.cellpose_package import cellpose_module
from napari_aitrain.tasks.flow_masks import Following, flow_errors, follow
from napari_aitrain.tasks.flow_targets import flow_targets, frame_of, moved_flows
from napari_aitrain.tasks.tally import InstanceTally

pytest.importorskip("cellpose")
pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks")


def peer_flows(labels: np.ndarray) -> np.ndarray:
    flow = cellpose_module("dynamics").labels_to_flows([labels.astype(np.int64)])[0]
    return flow[-2:]


def degrees(found: np.ndarray, wanted: np.ndarray, where: np.ndarray) -> np.ndarray:
    cosine = (found * wanted).sum(0)[where]
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("labels", [
    cells((90, 70)),
    cells((90, 70), touching=True),
    cells((40, 160), step=50),
    np.pad(np.ones((1, 1), np.int32), 4),
    np.kron(np.eye(3, dtype=np.int32), np.ones((9, 3), np.int32)),
], ids=["apart", "touching", "cut", "one pixel", "in pieces"])  # fmt: skip
def test_flows_are_those_of_cellpose(labels: np.ndarray) -> None:
    found, wanted = flow_targets(labels), peer_flows(labels)
    # In the very middle of a cell, where the slope is rounding, any direction is as good.
    assert np.mean(np.abs(found - wanted).max(axis=0) < 2e-3) > 0.998
    assert not found[:, labels == 0].any()


def test_nothing_flows_without_cells() -> None:
    assert not flow_targets(np.zeros((20, 30), np.int32)).any()


def test_a_very_large_cell_takes_no_longer_than_many_small_ones() -> None:
    labels = (np.hypot(*(np.mgrid[:700, :700] - 350.0)) < 340).astype(np.int32)
    flows = flow_targets(labels)
    middle = 350.0 - np.mgrid[:700, :700]
    middle /= np.maximum(np.linalg.norm(middle, axis=0), 1e-9)
    assert np.quantile(degrees(flows, middle, labels > 0), 0.95) < 12


def rotated(labels: np.ndarray, values: np.ndarray, angle: float, zoom: float, flip: bool) -> tuple[np.ndarray, ...]:
    """Move labels (nearest) and maps (linear) as an image is."""
    height, width = labels.shape
    y, x = np.mgrid[:height, :width] - np.reshape([(height - 1) / 2, (width - 1) / 2], (2, 1, 1))
    x = -x if flip else x
    c, s = np.cos(angle) / zoom, np.sin(angle) / zoom
    at = np.stack([c * y + s * x + (height - 1) / 2, -s * y + c * x + (width - 1) / 2])
    inside = (at > 1).all(0) & (at[0] < height - 2) & (at[1] < width - 2)
    return (
        map_coordinates(labels, at, order=0),
        np.stack([map_coordinates(v, at, order=1) for v in values]),
        inside,
    )


@settings(max_examples=8, deadline=None)
@given(angle=st.floats(-3.1, 3.1), zoom=st.floats(0.9, 1.4), flip=st.booleans())
def test_moved_flows_are_those_of_the_moved_labels(angle: float, zoom: float, flip: bool) -> None:
    labels = cells((110, 110), step=32, seed=3)
    values = np.concatenate([flow_targets(labels), frame_of(labels.shape)])
    moved, maps, inside = rotated(labels, values, angle, zoom, flip)
    turned = moved_flows(torch.from_numpy(maps[None, :2]).float(), torch.from_numpy(maps[None, 2:]).float())[0].numpy()
    wanted = peer_flows(moved)
    # Cells that are cut by either frame have another middle now.
    inside[[0, -1]] = inside[:, [0, -1]] = False
    cut = np.isin(moved, np.unique(moved[~inside]))
    whole = (moved > 0) & ~cut & (np.linalg.norm(turned, axis=0) > 0.9)
    unmoved = degrees(maps[:2], wanted, whole)
    off = degrees(turned / np.linalg.norm(turned, axis=0).clip(1e-6), wanted, whole)
    assert np.median(off) < 3 and off.mean() < 6
    assert abs(angle) < 0.5 or unmoved.mean() > 3 * off.mean()


@pytest.mark.parametrize("flips", [(1,), (2,), (1, 2)])
def test_flips_are_exact(flips: tuple[int, ...]) -> None:
    labels = cells((60, 60))
    values = torch.from_numpy(np.concatenate([flow_targets(labels), frame_of(labels.shape)]))
    seen = values.flip(flips)[None]
    signs = torch.tensor([-1.0 if axis + 1 in flips else 1.0 for axis in range(2)]).view(2, 1, 1)
    found = moved_flows(seen[:, :2], seen[:, 2:])[0]
    assert torch.allclose(found, values[:2].flip(flips) * signs, atol=1e-5)


def test_a_quarter_turn_is_exact() -> None:
    values = torch.from_numpy(np.concatenate([flow_targets(cells((60, 60))), frame_of((60, 60))]))
    seen = values.transpose(1, 2)[None]
    found = moved_flows(seen[:, :2], seen[:, 2:])[0]
    assert torch.allclose(found, values[:2].transpose(1, 2).flip(0), atol=1e-5)


def network_like(labels: np.ndarray, noise: float = 0.15, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return flows and logits as a good network gives them."""
    rng = np.random.default_rng(seed)
    flows = np.clip(peer_flows(labels) + rng.normal(0, noise, (2, *labels.shape)), -1, 1)
    return flows.astype(np.float32), (np.where(labels > 0, 3, -3) + rng.normal(0, 1, labels.shape)).astype(np.float32)


def as_maps(flows: np.ndarray, logits: np.ndarray) -> np.ndarray:
    return np.concatenate([(flows + 1) / 2, 1 / (1 + np.exp(-logits))[None]]).astype(np.float32)


@pytest.mark.parametrize(("cellprob", "flow"), [(0.0, 0.4), (2.5, 0.4), (-1.0, 0.0), (0.0, 0.06)])
@pytest.mark.parametrize("touching", [False, True])
def test_objects_are_those_of_cellpose(cellprob: float, flow: float, touching: bool) -> None:
    flows, logits = network_like(cells((120, 100), touching=touching))
    wanted = cellpose_module("dynamics").resize_and_compute_masks(
        5 * flows, logits, cellprob_threshold=cellprob, flow_threshold=flow, max_size_fraction=1.0
    )
    found, features = follow(as_maps(flows, logits), Following(cellprob, flow, 15, 200))
    assert found.max() == wanted.max() == len(features) - 1
    assert InstanceTally.count(found, wanted.astype(np.int32)).metrics()["ap90"] == 1
    assert np.mean((found > 0) != (wanted > 0)) < 1e-3
    assert flow != 0.06 or 0 < wanted.max() < 20


def test_bytes_give_the_same_objects() -> None:
    flows, logits = network_like(cells((120, 100)))
    maps = as_maps(flows, logits)
    found, _ = follow(maps, Following())
    stored, _ = follow(np.round(maps * 255).astype(np.uint8), Following())
    assert InstanceTally.count(stored, found).metrics()["ap90"] == 1


def test_errors_are_those_of_cellpose() -> None:
    labels = np.unique(cells((100, 100)), return_inverse=True)[1].astype(np.int32)
    flows, _ = network_like(labels, 0.4)
    wanted, _ = cellpose_module("dynamics").flow_error(labels.astype(np.int64), 5 * flows)
    assert np.allclose(flow_errors(labels, flows)[1:], wanted, rtol=1e-3)


def volume() -> tuple[np.ndarray, np.ndarray]:
    """Return two touching balls, and flows to their middles along z, y and x."""
    at = np.mgrid[:24, :30, :40].astype(np.float32)
    middles = np.array([[11, 14, 11], [12, 15, 28]], np.float32)
    away = middles.reshape(2, 3, 1, 1, 1) - at
    far = np.linalg.norm(away, axis=1)
    nearest = far.argmin(0)
    labels = np.where(far.min(0) < 10, nearest + 1, 0)
    flows = np.take_along_axis(away, nearest[None, None], 0)[0] / np.maximum(far.min(0), 1)
    return labels.astype(np.int32), np.where(labels > 0, flows, 0).astype(np.float32)


def test_volumes_are_those_of_cellpose() -> None:
    labels, flows = volume()
    logits = np.where(labels > 0, 2, -2).astype(np.float32)
    wanted = cellpose_module("dynamics").resize_and_compute_masks(
        10 * flows, 3 * logits, do_3D=True, max_size_fraction=1.0
    )
    found, features = follow(as_maps(flows, logits), Following(0.0, None, 15, 200))
    assert found.max() == wanted.max() == 2 and len(features) == 3
    assert np.array_equal(found > 0, wanted > 0)
    assert InstanceTally.count(found, labels).metrics()["ap90"] == 1


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (1, 1), (40, 50)])
def test_an_image_of_one_row_and_one_without_cells(shape: tuple[int, int]) -> None:
    for probability in (0.0, 1.0):
        maps = np.full((3, *shape), 0.5, np.float32)
        maps[2] = probability
        labels, features = follow(maps, Following())
        assert labels.shape == shape and len(features) == labels.max() + 1
        assert probability > 0 or not labels.any()


def test_following_needs_neither_torch_nor_cellpose() -> None:
    code = (
        "import sys, numpy as np\n"
        "from napari_aitrain.tasks import make_task\n"
        "maps = np.full((4, 1, 40, 40), 0.5, np.float32); maps[3, :, 8:30, 8:30] = 0.9\n"
        "y, x = np.mgrid[:40, :40] - 19.0\n"
        "maps[1], maps[2] = 0.5 - np.sign(y) / 2, 0.5 - np.sign(x) / 2\n"
        "found = make_task('cellpose', {'flow_threshold': 3}).decode(maps, None, 2)\n"
        "assert found.labels.max() == 1, found.labels.max()\n"
        "assert not {'torch', 'cellpose'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
