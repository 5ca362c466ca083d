"""The address space as OSCQuery describes it: a tree of JSON objects.

Attributes are those of the Vidvox proposal; `DEFAULT_VALUE` is an addition that others use as well.
Addresses that are only sent (`/pong`, `/error`) are left out. Pure functions, any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine.controls.control import FREE
from osc.address import Address
from osc.addresses import AddressSpace
from osc.values import Wire

__all__ = ["ATTRIBUTES", "Node", "attributes", "node"]

Node = dict[str, object]
# Of a value that can be read, written, or both.
_ACCESS = {"get": 1, "set": 2, "get, set": 3}
ATTRIBUTES = (
    "FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE",
    "TAGS", "DEFAULT_VALUE",
)  # fmt: skip


def node(space: AddressSpace, path: str, value: Callable[[Address], Sequence[Wire]]) -> Node | None:
    """The node at `path` with everything below it; None if there is nothing.

    Parameters
    ----------
    path : such as `/` or `/pack`.
    value : returns the value of a control (or its normalised value), as OSC sends it.
    """
    path = "/" + path.strip("/")
    prefix = path.rstrip("/") + "/"
    itself = next((a for a in _listed(space) if a.path == path), None)
    below = [a for a in _listed(space) if a.path.startswith(prefix)]
    if itself is None and not below:
        return None
    result: Node = {"FULL_PATH": path, "ACCESS": 0}
    if itself is not None:
        result |= attributes(itself, value)
    names = dict.fromkeys(a.path[len(prefix) :].partition("/")[0] for a in below)
    if names:
        result["CONTENTS"] = {name: node(space, prefix + name, value) for name in names}
    return result


def attributes(address: Address, value: Callable[[Address], Sequence[Wire]]) -> Node:
    """The attributes of one address."""
    result: Node = {"DESCRIPTION": _about(address), "ACCESS": _access(address)}
    if address.types:
        result["TYPE"] = address.types
    if address.kind in ("control", "norm"):
        result["VALUE"] = _numbers(address, value(address))
    if address.kind == "control" and address.default is not None:
        default = address.default if isinstance(address.default, tuple) else (address.default,)
        plain = [int(one) if isinstance(one, bool) else one for one in default]
        result["DEFAULT_VALUE"] = _numbers(address, plain)
    if address.choices:
        result["RANGE"] = [{"VALS": list(address.choices)}]
    elif address.low is not None:
        several = max(1, len(address.types))
        result["RANGE"] = [{"MIN": address.low, "MAX": address.high}] * several
        result["CLIPMODE"] = ["both"] * several
    if address.unit:
        result["UNIT"] = [address.unit]
    if address.when:
        result["TAGS"] = [address.when]
    return result


def _listed(space: AddressSpace) -> Iterable[Address]:
    return (a for a in space.addresses if a.kind != "answer")


def _access(address: Address) -> int:
    """Only controls have a readable value here; queries are answered over OSC."""
    if address.kind in ("control", "norm"):
        return _ACCESS[address.access]
    return 0 if address.kind == "query" else _ACCESS["set"]


def _numbers(address: Address, values: Sequence[object]) -> list[object]:
    """The values as in TYPE: the word `free` is not a number, so it becomes null."""
    if address.types != "s" and tuple(values) == (FREE,):
        return [None] * len(address.types)
    return list(values)


def _about(address: Address) -> str:
    left = f" The word {FREE} (null here) lets the music decide." if address.free else ""
    return address.about + left
