"""A TouchOSC layout (`.tosc`: XML, compressed by zlib): a fader, radio or button for each address.

The layout holds no host and port: TouchOSC keeps those on each device, under Connections.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from engine.controls.control import FREE
from osc.templates.surface import Knob, Surface, plain

__all__ = ["layout"]

_ACROSS, _WIDTH, _HEIGHT = 4, 250, 80  # controls in a row, their size in points
_LABEL = 24
_LEXML = "3"  # version of the format; TouchOSC also reads newer ones
_EAST = 1  # orientation: a fader that lies
_TOGGLE = 1  # buttonType
# The same names give the same file, byte for byte.
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "attacca.tosc")
Frame = tuple[int, int, int, int]
Argument = tuple[str, str, str, float, float]  # type, conversion, value, scale from and to


def layout(whole: Surface, host: str, port: int) -> bytes:
    """The file."""
    count = len(whole.knobs) + len(whole.buttons)
    size = (_ACROSS * _WIDTH, -(-count // _ACROSS) * _HEIGHT)
    tree = ET.Element("lexml", version=_LEXML)
    root = _node(tree, "GROUP", "attacca", (0, 0, *size), {"touch": "false"})
    # Shown in the layout.
    _property(root[0], "s", "tag", f"Attacca listens at {host} port {port}")
    children = ET.SubElement(root, "children")
    for number, knob in enumerate(whole.knobs):
        _knob(children, knob, _at(number))
    for number, button in enumerate(whole.buttons, len(whole.knobs)):
        frame = _at(number)
        _label(children, button.path[1:], button.path, frame)
        one: Argument = ("CONSTANT", "INTEGER", "1", 0, 1)
        _push(children, button.path, button.path, _below(frame), one)
    return zlib.compress(ET.tostring(tree, encoding="UTF-8", xml_declaration=True))


def _at(number: int) -> Frame:
    row, column = divmod(number, _ACROSS)
    return column * _WIDTH, row * _HEIGHT, _WIDTH - 10, _HEIGHT - 10


def _below(frame: Frame) -> Frame:
    x, y, width, height = frame
    return x, y + _LABEL, width, height - _LABEL


def _knob(parent: ET.Element, knob: Knob, frame: Frame) -> None:
    """A control, its label and, if it can be free, a button for that."""
    words = f": {', '.join(knob.choices)}" if knob.choices else ""
    _label(parent, knob.label + words, knob.path, frame)
    x, y, width, height = _below(frame)
    if knob.free:
        word: Argument = ("CONSTANT", "STRING", FREE, 0, 1)
        side = width // 5
        _push(parent, f"{knob.path}/{FREE}", knob.path, (x + width - side, y, side, height), word)
        width -= side + 5
    kinds = {"choice": "RADIO", "switch": "BUTTON"}
    kind = kinds.get(knob.look, "FADER")
    # A radio's value is the index; a fader's goes from 0 to 1 and is scaled when it is sent.
    start = knob.start if knob.look == "choice" else knob.normalised_start
    node = _node(
        parent, kind, knob.path, (x, y, width, height), {"x": plain(start), "touch": "false"}
    )
    if knob.look == "choice":
        _property(node[0], "i", "steps", str(len(knob.choices)))
        low, high = 0.0, 1.0
    else:
        low, high = knob.low, knob.high
    if knob.look == "switch":
        _property(node[0], "i", "buttonType", str(_TOGGLE))
    _property(node[0], "i", "orientation", str(_EAST))
    conversion = "FLOAT" if knob.look == "float" else "INTEGER"
    # A choice comes back as a name, which a radio cannot use.
    _message(node, knob.path, "ANY", ("VALUE", conversion, "x", low, high), knob.look != "choice")


def _push(parent: ET.Element, name: str, path: str, frame: Frame, argument: Argument) -> None:
    """A button that sends when it goes down, and nothing when it comes up."""
    node = _node(parent, "BUTTON", name, frame, {"x": "0", "touch": "false"})
    _message(node, path, "RISE", argument, receive=False)


def _label(parent: ET.Element, text: str, path: str, frame: Frame) -> None:
    x, y, width, _ = frame
    _node(parent, "LABEL", f"{path}/label", (x, y, width, _LABEL), {"text": text, "touch": "false"})


def _node(
    parent: ET.Element, kind: str, name: str, frame: Frame, values: dict[str, str]
) -> ET.Element:
    node = ET.SubElement(parent, "node", ID=str(uuid.uuid5(_NAMES, name)), type=kind)
    properties = ET.SubElement(node, "properties")
    rectangle = _property(properties, "r", "frame", "")
    for side, length in zip("xywh", frame, strict=True):
        ET.SubElement(rectangle, side).text = str(length)
    _property(properties, "s", "name", name)
    held = ET.SubElement(node, "values")
    for key, default in values.items():
        value = ET.SubElement(held, "value")
        _texts(value, (("key", key), ("locked", "0"), ("lockedDefaultCurrent", "0"),
                       ("default", default), ("defaultPull", "0")))  # fmt: skip
    return node


def _property(properties: ET.Element, kind: str, key: str, text: str) -> ET.Element:
    one = ET.SubElement(properties, "property", type=kind)
    ET.SubElement(one, "key").text = key
    value = ET.SubElement(one, "value")
    value.text = text or None
    return value


def _message(
    node: ET.Element, path: str, condition: str, argument: Argument, receive: bool
) -> None:
    """An OSC message over the first connection, sent whenever the value changes."""
    messages = ET.SubElement(node, "messages")
    osc = ET.SubElement(messages, "osc")
    _texts(osc, (("enabled", "1"), ("send", "1"), ("receive", str(int(receive))),
                 ("feedback", "0"), ("connections", "00001")))  # fmt: skip
    trigger = ET.SubElement(ET.SubElement(osc, "triggers"), "trigger")
    _texts(trigger, (("var", "x"), ("condition", condition)))
    _partial(ET.SubElement(osc, "path"), ("CONSTANT", "STRING", path, 0, 1))
    _partial(ET.SubElement(osc, "arguments"), argument)


def _partial(parent: ET.Element, argument: Argument) -> None:
    kind, conversion, value, low, high = argument
    _texts(ET.SubElement(parent, "partial"), (
        ("type", kind), ("conversion", conversion), ("value", value),
        ("scaleMin", plain(low)), ("scaleMax", plain(high)),
    ))  # fmt: skip


def _texts(parent: ET.Element, pairs: Sequence[tuple[str, str]]) -> None:
    for tag, text in pairs:
        ET.SubElement(parent, tag).text = text
