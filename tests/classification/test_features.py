"""Features of objects: of known bodies, beside scikit-image, in blocks, and in µm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import ellipsoid
from skimage.measure import regionprops

from napari_aitrain.classification.measuring import labels_volume, measure_boxes, measure_objects
from napari_aitrain.classification.table import FeatureTable
from napari_aitrain.errors import ConfigError, GroundTruthError
from napari_aitrain.geometry import Region
from napari_aitrain.inference.blocks import PredictionCancelledError
from napari_aitrain.volumes import Volume


def column(table: FeatureTable, name: str) -> np.ndarray:
    return table.values[:, table.names.index(name)]


def test_shapes_are_those_of_scikit_image(cells):
    table = cells.table
    found = regionprops(cells.labels, cells.image)
    assert [one.label for one in found] == table.ids.tolist()
    pairs = {"size": "area", "length": "axis_major_length", "breadth": "axis_minor_length"}
    for own, other in pairs.items():
        assert np.allclose(column(table, own), [one[other] for one in found], rtol=0.02), own
    assert np.allclose(column(table, "surface"), [one.perimeter_crofton for one in found], rtol=0.001)
    assert np.allclose(column(table, "solidity"), [one.solidity for one in found], atol=0.08)
    assert np.allclose(table.centre[:, 1:], [one.centroid for one in found])
    low, high = np.percentile(cells.image, (1, 99.8))
    mean = [(one.intensity_mean - low) / (high - low) for one in found]
    assert np.allclose(column(table, "mean"), mean, atol=0.01)
    assert (column(table, "contrast") > 0.3).all()


def test_a_body_is_the_same_in_thick_and_in_thin_slices():
    body = ellipsoid(20, 30, 12).astype(np.int32)
    thin = measure_objects(labels_volume(body), None, voxel_size=(1000, 1000, 1000))
    thick = measure_objects(labels_volume(body[1::4]), None, voxel_size=(4000, 1000, 1000))
    assert thin.unit == thick.unit == "µm" and thin.dims == 3
    true = {"size": 4 / 3 * np.pi * 20 * 30 * 12, "length": 60, "breadth": 40, "thickness": 24, "longest": 60}
    for table in (thin, thick):
        for name, value in true.items():
            assert column(table, name)[0] == pytest.approx(value, rel=0.03), name
    assert column(thin, "surface")[0] == pytest.approx(column(thick, "surface")[0], rel=0.05)
    assert column(thin, "surface")[0] == pytest.approx(5207, rel=0.02)  # Knud Thomsen's formula


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(2, 14), st.integers(2, 14)),
    block=st.tuples(st.integers(1, 4), st.integers(2, 9), st.integers(2, 9)),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_blocks_add_up_to_one_pass(shape, block, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, shape).astype(np.int32) * 7
    image = Volume.from_array(rng.normal(size=shape).astype(np.float32), axes="zyx")
    whole = measure_objects(labels_volume(labels), image)
    parts = measure_objects(labels_volume(labels), image, block_shape=block)
    assert whole.ids.tolist() == parts.ids.tolist() == sorted(set(np.unique(labels)) - {0})
    assert np.allclose(whole.values, parts.values, equal_nan=True, rtol=1e-4, atol=1e-5)
    assert whole.at_edge.tolist() == parts.at_edge.tolist()


def test_features_do_not_depend_on_where_an_object_lies_nor_how_it_is_turned(cells):
    names = ["size", "surface", "length", "breadth", "longest", "narrowest", "roundness", "solidity", "mean", "grain_2"]
    table = cells.table
    turned = measure_objects(
        labels_volume(np.rot90(cells.labels).copy()), Volume.from_array(np.rot90(cells.image).copy())
    )
    for name in names:
        assert np.allclose(column(table, name), column(turned, name), rtol=1e-4, atol=1e-5), name


def test_neighbours_edges_and_large_ids():
    labels = np.zeros((40, 40), np.int32)
    labels[0:10, 0:10], labels[10:20, 0:10], labels[30:35, 30:35] = 2**31 - 1, 17, 3
    table = measure_objects(labels_volume(labels), None)
    assert table.ids.tolist() == [3, 17, 2**31 - 1]
    assert column(table, "touching").tolist() == [0, 1, 1]
    assert column(table, "touching_share") == pytest.approx([0, 1 / 3, 1 / 2])
    assert table.at_edge.tolist() == [False, True, True]
    assert column(table, "nearest")[1] == pytest.approx(10)
    assert table.rows_of([17, 5, 3]).tolist() == [1, -1, 0]


def test_one_object_no_object_and_a_constant_image():
    one = np.zeros((20, 20), np.int32)
    one[5:9, 5:9] = 4
    flat = Volume.from_array(np.full((20, 20), 7, np.uint8))
    table = measure_objects(labels_volume(one), flat)
    assert len(table) == 1 and np.isnan(column(table, "nearest")[0]) and column(table, "size")[0] == 16
    assert table.names == measure_objects(labels_volume(np.eye(20, dtype=np.int32) * 3 + one), flat).names
    empty = measure_objects(labels_volume(np.zeros((20, 20), np.int32)), flat)
    assert len(empty) == 0 and empty.names == table.names
    assert empty.rows_of([4]).tolist() == [-1]


def test_channels_are_told_apart_and_a_wrong_shape_is_told():
    labels = np.zeros((30, 30), np.int32)
    labels[5:12, 5:12], labels[15:22, 15:22] = 1, 2
    image = np.random.default_rng(0).normal(size=(2, 30, 30)).astype(np.float32)
    image[1, 15:22, 15:22] += 50
    table = measure_objects(labels_volume(labels), Volume.from_array(image, axes="cyx", channels=["a", "b"]))
    first, second = column(table, "c2_mean")
    assert second > first + 0.5 and abs(np.subtract(*column(table, "c1_mean"))) < 0.3
    with pytest.raises(GroundTruthError, match="voxels"):
        measure_objects(labels_volume(labels), Volume.from_array(image[:, :20], axes="cyx"))


def test_a_finer_image_is_looked_at_at_the_magnification_of_its_labels(cells):
    fine = np.kron(cells.image, np.ones((2, 2), np.float32))
    table = measure_objects(labels_volume(cells.labels), Volume.from_array(fine))
    assert np.allclose(column(table, "mean"), column(cells.table, "mean"), atol=0.02)


def test_a_table_is_kept_and_told(cells, tmp_path):
    table = cells.table
    table.save(tmp_path / "table.npz")
    again = FeatureTable.load(tmp_path / "table.npz")
    assert again.names == table.names and np.array_equal(again.values, table.values) and again.unit == "voxel"
    told = table.columns()
    assert {"id", "area_px2", "perimeter_px", "roundness", "touching"} <= set(told)


def test_boxes_are_measured_by_what_is_in_them(cells):
    image = Volume.from_array(np.concatenate([cells.image, np.zeros_like(cells.image)]))
    n = cells.image.shape[1]
    table = measure_boxes(image, [Region((0, 0, 0), (1, n, n)), Region((0, n + 20, 0), (1, 2 * n, n))])
    assert table.kind == "boxes" and table.ids.tolist() == [1, 2]
    assert column(table, "mean")[0] > column(table, "mean")[1] + 0.3
    assert "size" not in table.names and "nearest" not in table.names
    with pytest.raises(ConfigError, match="outside"):
        measure_boxes(image, [Region((0, 3 * n, 0), (1, 4 * n, 5))])


def test_measuring_can_be_stopped(cells):
    with pytest.raises(PredictionCancelledError):
        measure_objects(labels_volume(cells.labels), None, cancelled=lambda: True)
