from pathlib import Path

from napari_aitrain.annotation.boxes import Box, read_boxes, write_boxes

boxes = [
    Box(name="left", start=(0, 0, 0), stop=(1, 128, 128)),
    Box(name="right", start=(0, 192, 192), stop=(1, 320, 320), role="test", tags=("day 2",)),
]
write_boxes(Path("boxes.json"), boxes)
assert read_boxes(Path("boxes.json")) == boxes
