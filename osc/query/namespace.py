"""The address space as OSCQuery tells it: a tree of JSON objects, walked out of an `AddressSpace`.

Attributes are those of the Vidvox proposal; `DEFAULT_VALUE` is an addition that others use as well.
What is only ever sent (`/pong`, `/error`) is left out. Pure functions, any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine.controls.control import FREE
from osc.addresses import Address, AddressSpace
from osc.values import Wire

__all__ = ["ATTRIBUTES", "Node", "attributes", "node"]

Node = dict[str, object]
# Of no value, of one that can be read, be written, or both.
_ACCESS = {"get": 1, "set": 2, "get, set": 3}
ATTRIBUTES = (
    "FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE",
    "TAGS", "DEFAULT_VALUE",
)  # fmt: skip


def node(space: AddressSpace, path: str, value: Callable[[Address], Sequence[Wire]]) -> Node | None:
    """What there is at `path`, with all below it; None when there is nothing.

    Parameters
    ----------
    path : such as `/` or `/pack`.
    value : tells the value of a control or of its twin, as OSC sends it.
    """
    path = "/" + path.strip("/")
    prefix = path.rstrip("/") + "/"
    itself = next((a for a in _listed(space) if a.path == path), None)
    below = [a for a in _listed(space) if a.path.startswith(prefix)]
    if itself is None and not below:
        return None
    made: Node = {"FULL_PATH": path, "ACCESS": 0}
    if itself is not None:
        made |= attributes(itself, value)
    names = dict.fromkeys(a.path[len(prefix) :].partition("/")[0] for a in below)
    if names:
        made["CONTENTS"] = {name: node(space, prefix + name, value) for name in names}
    return made


def attributes(address: Address, value: Callable[[Address], Sequence[Wire]]) -> Node:
    """What one address says of itself."""
    made: Node = {"DESCRIPTION": _about(address), "ACCESS": _access(address)}
    if address.types:
        made["TYPE"] = address.types
    if address.kind in ("control", "norm"):
        made["VALUE"] = _numbers(address, value(address))
    if address.kind == "control" and address.default is not None:
        default = address.default if isinstance(address.default, tuple) else (address.default,)
        plain = [int(one) if isinstance(one, bool) else one for one in default]
        made["DEFAULT_VALUE"] = _numbers(address, plain)
    if address.choices:
        made["RANGE"] = [{"VALS": list(address.choices)}]
    elif address.low is not None:
        several = max(1, len(address.types))
        made["RANGE"] = [{"MIN": address.low, "MAX": address.high}] * several
        made["CLIPMODE"] = ["both"] * several
    if address.unit:
        made["UNIT"] = [address.unit]
    if address.when:
        made["TAGS"] = [address.when]
    return made


def _listed(space: AddressSpace) -> Iterable[Address]:
    return (a for a in space.addresses if a.kind != "answer")


def _access(address: Address) -> int:
    """Only controls have a value to read here; a question is answered over OSC."""
    if address.kind in ("control", "norm"):
        return _ACCESS[address.access]
    return 0 if address.kind == "query" else _ACCESS["set"]


def _numbers(address: Address, values: Sequence[object]) -> list[object]:
    """The values as TYPE has them: the word `free` is not a number, so it is null."""
    if address.types != "s" and tuple(values) == (FREE,):
        return [None] * len(address.types)
    return list(values)


def _about(address: Address) -> str:
    left = f" The word {FREE} (null here) leaves it to the music." if address.free else ""
    return address.about + left
