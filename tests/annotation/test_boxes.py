"""Boxes in their JSON file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_aitrain.annotation.boxes import Box, read_boxes, write_boxes
from napari_aitrain.errors import BoxError
from napari_aitrain.geometry import Region

numbers = st.integers(-1000, 1000)
boxes = st.builds(
    lambda start, shape, **rest: Box(start=start, stop=Region.from_shape(shape, start).stop, **rest),
    st.tuples(numbers, numbers, numbers),
    st.tuples(*[st.integers(1, 500)] * 3),
    name=st.text(),
    role=st.sampled_from(["train", "validation", "test"]),
    status=st.sampled_from(["in progress", "done", "reviewed", "rejected"]),
    tags=st.lists(st.text(), max_size=3).map(tuple),
    sparse=st.sampled_from([None, True, False]),
)


@given(st.lists(boxes, max_size=4))
def test_boxes_are_read_as_they_were_written(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("boxes") / "Kästen und so.json"
    write_boxes(path, found)
    assert read_boxes(path) == found
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_plain_list_is_taken_too(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"start": [0, 0, 0], "stop": [1, 2, 3]}]), encoding="utf-8")
    assert read_boxes(path) == [Box(start=(0, 0, 0), stop=(1, 2, 3))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('"boxes"', "holds no list"),
        ('[{"start": [0, 0, 0], "stop": [0, 4, 4]}]', "empty"),
        ('[{"start": [5, 0, 0], "stop": [1, 4, 4]}]', "empty"),
        ('[{"start": [0, 0, 0], "stop": [1, 4, 4]}, {"start": [0, 0], "stop": [4, 4]}]', "box 2"),
        ('[{"start": [0, 0, 0], "stop": [1, 4, 4], "rolle": "train"}]', "rolle"),
        ('[{"start": [0, 0, 0], "stop": [1, 4, 4.5]}]', "stop"),
    ],
)
def test_what_is_no_box_is_told(tmp_path, text, said):
    path = tmp_path / "boxes.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BoxError, match=said):
        read_boxes(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BoxError, match="does not exist"):
        read_boxes(tmp_path / "gone.json")
