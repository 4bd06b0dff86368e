"""Names of files and tensors in exported models."""

DESCRIPTION, README = "bioimageio.yaml", "README.md"
WEIGHTS, ONNX, SOURCE = "weights.pt", "weights.onnx", "aitrain_network.py"
TEST_INPUT, TEST_OUTPUT = "test_input.npy", "test_output.npy"
IMAGE, MAPS = "image", "maps"
OPSET = 18
