"""Prediction: arrays in memory, volumes of any size block by block, and what is kept of a prediction."""
