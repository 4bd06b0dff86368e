"""Ground truth, boxes, and the project folder that keeps them."""
