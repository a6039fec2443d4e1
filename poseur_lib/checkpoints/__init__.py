"""Weights on disk: our own checkpoints, those of the released implementation, and ONNX."""
