"""Torch modules to ONNX files: fixed shapes, the ONNX checker, weights stored in half precision."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

OPSET = 18
_SMALLEST = 256  # initialisers with fewer elements stay float32


def export_graph(
    module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], path: Path
) -> None:
    """Trace `module` at the shapes of `inputs`, by name, and write a checked ONNX file.

    Raises
    ------
    ValueError
        When an input is not used by the module.
    onnx.checker.ValidationError
        When the traced graph is not valid ONNX.
    """
    # The same tensor for two inputs would be traced as one input.
    separate = tuple(t.clone() for t in inputs.values())
    # The step graph takes the context's tensors as *args, so inputs are renamed after the trace.
    with warnings.catch_warnings():
        # PyTorch's exporter warns of its own use of its own deprecated parts.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        program = torch.onnx.export(
            module.eval(), separate, dynamo=True, opset_version=OPSET,
            optimize=True, output_names=outputs, verbose=False,
        )  # fmt: skip
    assert program is not None  # so it is without a file to write
    model = program.model_proto
    _rename_inputs(model, list(inputs))
    halve_weights(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _rename_inputs(model: onnx.ModelProto, names: list[str]) -> None:
    """Rename the graph's inputs, in order."""
    if len(model.graph.input) != len(names):
        raise ValueError(
            f"The traced graph has {len(model.graph.input)} inputs instead of {len(names)}: the "
            "network does not use one of them"
        )
    new = {old.name: name for old, name in zip(model.graph.input, names, strict=True)}
    for value in model.graph.input:
        value.name = new[value.name]
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = new.get(name, name)


def halve_weights(model: onnx.ModelProto) -> None:
    """Store float32 initialisers as float16 behind a Cast; ONNX Runtime folds it when it opens."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):  # what does not fit stays float32
            half = values.astype(np.float16)
        if values.size < _SMALLEST or not np.array_equal(half.astype(np.float32), values):
            continue  # constants that half precision would change stay float32
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, name + ".half"))
        casts.append(
            onnx.helper.make_node("Cast", [name + ".half"], [name], to=onnx.TensorProto.FLOAT)
        )
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
