"""The Classify dock: classes of objects and boxes, by click."""
