"""From a trained network to a pack: checkpoint readers, ONNX, parity, manifest and model card.

One exporter (`pack.py`) writes what a system (`systems/NAME.py`) returns. Needs the `export` extra
(PyTorch, onnx, onnxscript); the player never imports this package.
"""
