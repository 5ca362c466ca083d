"""A Max patcher (JSON) with Live parameters, which also works inside a Max for Live device.

Nothing is sent until its gate is open: opening the patch must not change a playing instrument.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from engine.controls.control import FREE
from osc.templates.surface import Knob, Surface

__all__ = ["patch"]

_LISTEN = 9011  # port on which the patch receives changes
_ACROSS, _WIDTH, _HEIGHT, _TOP = 4, 320, 100, 130  # columns; pixels
_MOST_INT = 256  # values that an int parameter of Live may have; a float shown as int has no bound
_FLOAT, _INT, _ENUM = 0, 1, 2  # parameter_type
_AS_INT, _AS_FLOAT = 0, 1  # parameter_unitstyle


@dataclass
class _Patch:
    """Boxes and the cords between them."""

    boxes: list[dict[str, object]] = field(default_factory=list)
    lines: list[dict[str, object]] = field(default_factory=list)

    def box(self, kind: str, at: tuple[int, int], ins: int, outs: int, **rest: object) -> str:
        name = f"obj-{len(self.boxes) + 1}"
        width = 90.0 if kind.startswith("live.") else 150.0
        box = {
            "id": name, "maxclass": kind, "numinlets": ins, "numoutlets": outs,
            "patching_rect": [float(at[0]), float(at[1]), width, 20.0], **rest,
        }  # fmt: skip
        self.boxes.append({"box": box})
        return name

    def cord(self, source: str, outlet: int, target: str, inlet: int = 0) -> None:
        ends = {"source": [source, outlet], "destination": [target, inlet]}
        self.lines.append({"patchline": ends})


def patch(whole: Surface, host: str, port: int) -> bytes:
    """The file."""
    made = _Patch()
    send = made.box("newobj", (400, 80), 1, 0, text=f"udpsend {host} {port}")
    gate = made.box("newobj", (400, 40), 2, 1, text="gate 1 0", outlettype=[""])
    made.cord(gate, 0, send)
    opened = made.box("toggle", (400, 10), 1, 1, outlettype=["int"])
    made.box("comment", (430, 10), 1, 0, text="send changes to Attacca")
    made.cord(opened, 0, gate)
    load = made.box("newobj", (20, 10), 1, 1, text="loadbang", outlettype=["bang"])
    for x, text in ((20, f"/subscribe {_LISTEN}"), (190, "/dump")):
        request = made.box("message", (x, 40), 2, 1, text=text, outlettype=[""])
        made.cord(load, 0, request)
        made.cord(request, 0, send)
    paths = [knob.path for knob in whole.knobs]
    receive = made.box("newobj", (20, 70), 1, 1, text=f"udpreceive {_LISTEN}", outlettype=[""])
    route = made.box(
        "newobj", (20, 100), len(paths) + 1, len(paths) + 1, text="route " + " ".join(paths),
        outlettype=[""] * (len(paths) + 1),
    )  # fmt: skip
    made.cord(receive, 0, route)
    for number, knob in enumerate(whole.knobs):
        _knob(made, knob, _at(number), gate, (route, number))
    for number, button in enumerate(whole.buttons, len(whole.knobs)):
        push = made.box("message", _at(number), 2, 1, text=f"{button.path} 1", outlettype=[""])
        made.cord(push, 0, gate, 1)
    patcher = {
        "fileversion": 1,
        "appversion": {"major": 8, "minor": 5, "revision": 0, "architecture": "x64"},
        "classnamespace": "box", "rect": [60.0, 60.0, 1320.0, 900.0],
        "boxes": made.boxes, "lines": made.lines,
    }  # fmt: skip
    return (json.dumps({"patcher": patcher}, indent=1) + "\n").encode()


def _at(number: int) -> tuple[int, int]:
    row, column = divmod(number, _ACROSS)
    return 20 + column * _WIDTH, _TOP + 20 + row * _HEIGHT


def _knob(
    made: _Patch, knob: Knob, at: tuple[int, int], gate: str, received: tuple[str, int]
) -> None:
    """A Live parameter that sends to its address and follows the values it receives."""
    x, y = at
    kinds = {"choice": ("live.menu", 3), "switch": ("live.toggle", 1)}
    kind, outs = kinds.get(knob.look, ("live.numbox", 2))
    shown = made.box(
        kind, (x, y + 22), 1, outs, parameter_enable=1, annotation=knob.about,
        outlettype=[""] + ["float"] * (outs - 1),
        saved_attribute_attributes={"valueof": _parameter(knob)},
    )  # fmt: skip
    made.box("comment", (x, y), 1, 0, text=knob.label)
    address = made.box(
        "newobj", (x, y + 46), 1, 1, text=f"prepend {knob.path}", outlettype=[""]
    )  # fmt: skip
    made.cord(shown, 0, address)
    made.cord(address, 0, gate, 1)
    if knob.free:
        free = made.box(
            "message", (x + 160, y + 46), 2, 1, text=f"{knob.path} {FREE}", outlettype=[""]
        )
        made.cord(free, 0, gate, 1)
    word = "setsymbol" if knob.look == "choice" else "set"
    follow = made.box("newobj", (x + 160, y + 22), 1, 1, text=f"prepend {word}", outlettype=[""])
    made.cord(*received, follow)
    made.cord(follow, 0, shown)


def _parameter(knob: Knob) -> dict[str, object]:
    """The parameter as Live shows and stores it."""
    named: dict[str, object] = {
        "parameter_longname": knob.path, "parameter_shortname": knob.label,
        "parameter_initial_enable": 1, "parameter_initial": [knob.start],
    }  # fmt: skip
    if knob.look == "choice":
        return named | {"parameter_type": _ENUM, "parameter_enum": list(knob.choices)}
    few = knob.look != "float" and knob.high - knob.low < _MOST_INT
    return named | {
        "parameter_type": _INT if few else _FLOAT,
        "parameter_unitstyle": _AS_FLOAT if knob.look == "float" else _AS_INT,
        "parameter_mmin": knob.low, "parameter_mmax": knob.high,
    }  # fmt: skip
