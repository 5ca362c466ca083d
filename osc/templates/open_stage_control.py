"""An Open Stage Control session (version 1, JSON): a fader, switch or button for each address."""

from __future__ import annotations

import json

from engine.controls.control import FREE
from osc.templates.surface import Button, Knob, Surface, plain

__all__ = ["session"]

_ACROSS, _WIDTH, _HEIGHT = 6, 190, 90  # widgets in a row, their size in pixels
_DECIMALS = 3


def session(whole: Surface, host: str, port: int) -> bytes:
    """The file. It sends /subscribe when it opens, so that it follows other controllers."""
    widgets: list[dict[str, object]] = []
    for knob in whole.knobs:
        widgets.append(_place(_widget(knob), len(widgets)))
        if knob.free:
            free = _push(f"{knob.path[1:]}_{FREE}", f"{knob.label}: {FREE}", knob.path, FREE)
            widgets.append(_place(free, len(widgets)))
    for button in whole.buttons:
        widgets.append(_place(_button(button), len(widgets)))
    target = f"{host}:{port}"
    root = {
        "type": "root", "id": "root", "target": target, "scroll": True,
        "onCreate": f"send('{target}', '/subscribe'); send('{target}', '/dump')",
        "widgets": widgets, "tabs": [],
    }  # fmt: skip
    file = {
        "createdWith": "Open Stage Control", "version": "1.27.0", "type": "session",
        "content": root,
    }  # fmt: skip
    return (json.dumps(file, indent=1) + "\n").encode()


def _place(widget: dict[str, object], number: int) -> dict[str, object]:
    row, column = divmod(number, _ACROSS)
    at = {"left": column * _WIDTH, "top": row * _HEIGHT, "width": _WIDTH, "height": _HEIGHT}
    return {**widget, **at}


def _widget(knob: Knob) -> dict[str, object]:
    """A fader; for a choice a dropdown of its names."""
    base: dict[str, object] = {
        "id": knob.path[1:].replace("/", "_"), "address": knob.path, "label": knob.label,
        "comments": knob.about,
    }  # fmt: skip
    if knob.look == "choice":
        words = dict(zip(knob.choices, knob.choices, strict=True))
        return base | {
            "type": "dropdown", "values": words, "default": knob.choices[int(knob.start)],
            "typeTags": "s", "mode": "text",
        }  # fmt: skip
    if knob.look == "switch":
        return base | {
            "type": "button", "mode": "toggle", "on": 1, "off": 0, "default": int(knob.start),
            "typeTags": "i",
        }  # fmt: skip
    step = {"steps": plain(knob.high - knob.low)} if knob.look == "int" else {}
    return base | step | {
        "type": "fader", "horizontal": True, "design": "compact",
        "range": {"min": knob.low, "max": knob.high},
        "default": FREE if knob.default is None else knob.default,
        "typeTags": "i" if knob.look == "int" else "f",
        "decimals": 0 if knob.look == "int" else _DECIMALS,
    }  # fmt: skip


def _button(button: Button) -> dict[str, object]:
    return _push(button.path[1:], button.path[1:], button.path, 1) | {"comments": button.about}


def _push(name: str, label: str, path: str, value: object) -> dict[str, object]:
    return {
        "type": "button", "mode": "tap", "id": name.replace("/", "_"), "address": path,
        "label": label, "on": value, "off": 0, "typeTags": "s" if isinstance(value, str) else "i",
    }  # fmt: skip
