"""From a trained network to a pack: checkpoint readers, ONNX, parity, manifest and model card.

Needs the `export` extra (PyTorch, onnx, onnxscript); the player never imports this package.
"""
