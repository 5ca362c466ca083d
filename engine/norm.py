"""Between a control and its place from 0 to 1: linear over its range, a choice by its place in the
list. What OSC, MIDI and a window have in common. Pure functions, any thread.
"""

from __future__ import annotations

from engine.params import FREE, Param, Value

__all__ = ["from_norm", "to_norm"]


def from_norm(param: Param, share: float) -> Value:
    """A share of the range as `param` holds it, brought into 0 to 1 first."""
    share = min(max(share, 0.0), 1.0)
    if param.kind == "choice":
        return param.choices[round(share * (len(param.choices) - 1))]
    if param.kind == "bool":
        return share >= 0.5
    return param.clip(param.low + share * (param.high - param.low))


def to_norm(param: Param, value: Value) -> float | str:
    """`value` from 0 to 1, or the word `free` where a control is left to the music."""
    if param.kind == "choice":
        return param.choices.index(str(value)) / max(1, len(param.choices) - 1)
    if param.free and value == FREE:
        return FREE
    if param.kind == "bool":
        return float(value)
    return (float(value) - param.low) / (param.high - param.low)
