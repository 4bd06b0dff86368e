"""Object and box classification: features of objects, what people clicked, and a classifier that learns from it."""
