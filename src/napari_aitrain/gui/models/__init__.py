"""The dock Models: versions of models, what is said of them, and how they compare."""
