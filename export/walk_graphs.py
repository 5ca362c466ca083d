"""The small graphs with which a device walker updates x (engine/execution/graphs/).

Run `python -m export.walk_graphs` to write them again; a test compares. They hold no weights. The
numbers of rows, frames and steps are free: a session fixes them when it opens a graph.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from engine.execution.device_walker import COLUMNS, GRAPHS

__all__ = ["build", "write"]

_OPSET = 18
_IR_VERSION = 9  # of ONNX 1.14: every ONNX Runtime that the player takes can read it
_BLOCK = ("rows", "frames")
_TABLE = ("steps", len(COLUMNS))
_ROW = (1,)


def _tensor(name: str, shape: tuple[str | int, ...], kind: int = TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def _column(name: str) -> list[onnx.NodeProto]:
    """One coefficient of the table's row, as [1], under its column's name."""
    return [
        helper.make_node("Constant", [], [f"{name}_at"], value_ints=[COLUMNS.index(name)]),
        helper.make_node("Gather", ["line", f"{name}_at"], [f"{name}_line"], axis=1),
        helper.make_node("Constant", [], [f"{name}_flat"], value_ints=[1]),
        helper.make_node("Reshape", [f"{name}_line", f"{name}_flat"], [name]),
    ]


def _model(
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    model = helper.make_model(
        helper.make_graph(nodes, name, inputs, outputs),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="attacca",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _line() -> onnx.NodeProto:
    return helper.make_node("Gather", ["table", "row"], ["line"], axis=0)


def _enter() -> onnx.ModelProto:
    """x_in = x; alpha clean + sigma noise where `mask` is true and the frame is before `end`."""
    nodes = [
        _line(), *_column("alpha"), *_column("sigma"), *_column("end"),
        helper.make_node("Mul", ["clean", "alpha"], ["signal_part"]),
        helper.make_node("Mul", ["noise", "sigma"], ["noise_part"]),
        helper.make_node("Add", ["noise_part", "signal_part"], ["noised"]),
        helper.make_node("Less", ["frame", "end"], ["before_end"]),
        helper.make_node("And", ["mask", "before_end"], ["fixed"]),
        helper.make_node("Where", ["fixed", "noised", "x"], ["x_in"]),
    ]  # fmt: skip
    inputs = [
        _tensor("x", _BLOCK), _tensor("clean", _BLOCK), _tensor("noise", _BLOCK),
        _tensor("mask", _BLOCK, TensorProto.BOOL), _tensor("frame", ("frames",)),
        _tensor("table", _TABLE), _tensor("row", _ROW, TensorProto.INT64),
    ]  # fmt: skip
    outputs = [_tensor("x_in", _BLOCK), _tensor("alpha", _ROW), _tensor("sigma", _ROW)]
    return _model("enter", nodes, inputs, outputs)


def _residual() -> onnx.ModelProto:
    """residual = conditional - unconditional."""
    nodes = [helper.make_node("Sub", ["conditional", "unconditional"], ["residual"])]
    inputs = [_tensor("conditional", _BLOCK), _tensor("unconditional", _BLOCK)]
    return _model("residual", nodes, inputs, [_tensor("residual", _BLOCK)])


def _update() -> onnx.ModelProto:
    """x0 = conditional + factor residual; x_next = a x + b x0 + c x0_prev + d noise."""
    nodes = [_line()]
    for name in ("factor", "a", "b", "c", "d"):
        nodes += _column(name)
    nodes += [
        helper.make_node("Mul", ["residual", "factor"], ["guidance"]),
        helper.make_node("Add", ["guidance", "conditional"], ["x0"]),
        helper.make_node("Mul", ["x", "a"], ["from_x"]),
        helper.make_node("Mul", ["x0", "b"], ["from_x0"]),
        helper.make_node("Add", ["from_x", "from_x0"], ["first_order"]),
        helper.make_node("Mul", ["x0_prev", "c"], ["from_x0_prev"]),
        helper.make_node("Add", ["first_order", "from_x0_prev"], ["deterministic"]),
        helper.make_node("Mul", ["noise", "d"], ["from_noise"]),
        helper.make_node("Add", ["deterministic", "from_noise"], ["x_next"]),
    ]
    names = ("x", "conditional", "residual", "x0_prev", "noise")
    inputs = [_tensor(name, _BLOCK) for name in names]
    inputs += [_tensor("table", _TABLE), _tensor("row", _ROW, TensorProto.INT64)]
    return _model("update", nodes, inputs, [_tensor("x_next", _BLOCK), _tensor("x0", _BLOCK)])


def build() -> dict[str, bytes]:
    """The content of every file, by its name."""
    models = {"enter.onnx": _enter(), "residual.onnx": _residual(), "update.onnx": _update()}
    return {name: model.SerializeToString(deterministic=True) for name, model in models.items()}


def write(folder: Path = GRAPHS) -> None:
    """Write the files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in build().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write()
