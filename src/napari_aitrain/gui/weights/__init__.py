"""Weights of other people's networks: what is there, and downloads that a person has agreed to."""
