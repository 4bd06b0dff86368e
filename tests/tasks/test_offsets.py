import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_aitrain.tasks.offsets import FAR_NM, choose_offsets

SIZES = st.tuples(*[st.floats(0.5, 400)] * 3)


@given(SIZES, st.sampled_from([2, 3]))
def test_offsets_go_along_one_axis_and_none_is_there_twice(size, dims):
    offsets = choose_offsets(size, dims)
    assert len(set(offsets)) == len(offsets)
    assert all(sum(n > 0 for n in offset) == 1 and min(offset) == 0 for offset in offsets)
    near = [(1, 0, 0), (0, 1, 0), (0, 0, 1)][3 - dims :]
    assert list(offsets[:dims]) == near
    assert dims == 3 or all(z == 0 for z, _, _ in offsets)


@pytest.mark.parametrize("size", [(50.0, 4.0, 4.0), (10.0, 10.0, 10.0), (40.0, 16.0, 16.0), (29.0, 12.0, 9.0)])
def test_far_offsets_reach_as_far_along_each_axis_in_nm(size):
    reached = [n * size[axis] for offset in choose_offsets(size, 3) for axis, n in enumerate(offset) if n]
    for far in FAR_NM:
        for axis in range(3):
            assert min(abs(length - far) for length in reached) <= max(size[axis], min(size)) / 2
    assert max(reached) <= max(FAR_NM) + max(size) / 2


def test_an_isotropic_and_an_anisotropic_stack():
    assert choose_offsets((10.0, 10.0, 10.0), 3)[3:6] == ((3, 0, 0), (0, 3, 0), (0, 0, 3))
    assert (0, 8, 0) in choose_offsets((50.0, 4.0, 4.0), 3)
    assert choose_offsets(None, 2)[:2] == ((0, 1, 0), (0, 0, 1))
