"""A Pure Data patch (vanilla, 0.51 or newer): boxes for each control, over one UDP socket.

Nothing is sent before you click `connect`; /dump and /subscribe then request the values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.controls.control import FREE
from osc.templates.surface import Knob, Surface, plain

__all__ = ["patch"]

_ACROSS, _WIDTH, _HEIGHT, _TOP = 4, 330, 110, 230  # columns; pixels
_COLOURS = "#fcfcfc #000000 #000000"


@dataclass
class _Patch:
    """Objects in the order of their numbers, and the cords between them."""

    lines: list[str] = field(default_factory=list)
    cords: list[str] = field(default_factory=list)

    def add(self, kind: str, at: tuple[int, int], text: str) -> int:
        self.lines.append(f"#X {kind} {at[0]} {at[1]} {_escaped(text)};")
        return len(self.lines) - 1

    def cord(self, source: int, outlet: int, target: int, inlet: int = 0) -> None:
        self.cords.append(f"#X connect {source} {outlet} {target} {inlet};")


def patch(whole: Surface, host: str, port: int) -> bytes:
    """The file."""
    made = _Patch()
    net = made.add("obj", (20, 150), "netsend -u -b")
    for x, text in ((20, f"connect {host} {port}"), (170, "disconnect")):
        made.cord(made.add("msg", (x, 20), text), 0, net)
    trim = made.add("obj", (400, 150), "list prepend send")
    trimmed = made.add("obj", (400, 175), "list trim")
    made.cord(trim, 0, trimmed)
    made.cord(trimmed, 0, net)
    for x, path in ((20, "/subscribe"), (170, "/dump")):
        label = f"bng 15 250 50 0 empty empty {path[1:]} 20 8 0 10 {_COLOURS}"
        bang = made.add("obj", (x, 60), label)
        out = made.add("obj", (x, 90), f"oscformat {path}")
        made.cord(bang, 0, out)
        made.cord(out, 0, trim)
    parse = made.add("obj", (20, 175), "oscparse")
    received = made.add("obj", (110, 175), "list trim")
    made.cord(net, 1, parse)
    made.cord(parse, 0, received)
    sources = _routes(made, received, [knob.path for knob in whole.knobs])
    for number, knob in enumerate(whole.knobs):
        _knob(made, knob, _at(number), trim, sources[knob.path])
    for number, button in enumerate(whole.buttons, len(whole.knobs)):
        x, y = _at(number)
        label = f"bng 25 250 50 0 empty empty {button.path[1:]} 30 12 0 10 {_COLOURS}"
        push, one = made.add("obj", (x, y), label), made.add("msg", (x, y + 35), "1")
        out = made.add("obj", (x, y + 60), f"oscformat -f i {button.path}")
        made.cord(push, 0, one)
        made.cord(one, 0, out)
        made.cord(out, 0, trim)
    head = "#N canvas 40 40 1380 900 12;"
    return ("\n".join([head, *made.lines, *made.cords]) + "\n").encode()


def _routes(
    made: _Patch, source: int, paths: list[str], above: str = "", outlet: int = 0
) -> dict[str, tuple[int, int]]:
    """Objects that route incoming messages by address: the outlet of each path below `above`.

    A parsed message is a list of the parts of its address, then the arguments.
    """
    firsts = list(dict.fromkeys(path[len(above) + 1 :].partition("/")[0] for path in paths))
    at = (700, 200) if above else (20, 200)
    route = made.add("obj", at, "route " + " ".join(firsts))
    made.cord(source, outlet, route)
    places: dict[str, tuple[int, int]] = {}
    for i, first in enumerate(firsts):
        whole = f"{above}/{first}"
        below = [path for path in paths if path.startswith(f"{whole}/")]
        if below:
            places |= _routes(made, route, below, whole, i)
        else:
            places[whole] = (route, i)
    return places


def _at(number: int) -> tuple[int, int]:
    row, column = divmod(number, _ACROSS)
    return 20 + column * _WIDTH, _TOP + 20 + row * _HEIGHT


def _knob(
    made: _Patch, knob: Knob, at: tuple[int, int], trim: int, received: tuple[int, int]
) -> None:
    """A box that sends to its address; incoming values set it without sending."""
    x, y = at
    label = knob.label.replace(" ", "_")
    if knob.look == "choice":
        cells = len(knob.choices)
        text = f"hradio 15 0 1 {cells} empty empty {label} 0 -8 0 10 {_COLOURS} {plain(knob.start)}"
    elif knob.look == "switch":
        text = f"tgl 15 1 empty empty {label} 0 -8 0 10 {_COLOURS} {plain(knob.start)} 1"
    else:
        text = (
            f"nbx 9 15 {plain(knob.low)} {plain(knob.high)} 0 1 empty empty {label} 0 -8 0 10 "
            f"{_COLOURS} {plain(knob.start)} 256"
        )
    shown = made.add("obj", (x, y), text)
    out = made.add("obj", (x, y + 60), f"oscformat -f {_tag(knob)} {knob.path}")
    made.cord(shown, 0, out)
    made.cord(out, 0, trim)
    if knob.free:
        word = made.add("msg", (x + 100, y), f"symbol {FREE}")
        free = made.add("obj", (x + 100, y + 30), f"oscformat -f s {knob.path}")
        made.cord(word, 0, free)
        made.cord(free, 0, trim)
    _follow(made, knob, (x, y + 30), shown, received)


def _follow(
    made: _Patch, knob: Knob, at: tuple[int, int], shown: int, received: tuple[int, int]
) -> None:
    """A number sets the box; for a choice each name sets its index."""
    words = " ".join(knob.choices) or "float"
    only = made.add("obj", at, f"route {words}")
    made.cord(*received, only)
    for outlet in range(len(knob.choices) or 1):
        value = str(outlet) if knob.choices else "$1"
        setting = made.add("msg", (at[0] + 140, at[1]), f"set {value}")
        made.cord(only, outlet, setting)
        made.cord(setting, 0, shown)


def _tag(knob: Knob) -> str:
    return "f" if knob.look == "float" else "i"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("$", "\\$")
