"""Descriptions of controls as JSON, which the server sends and a window reads.

Pure functions, any thread.
"""

from __future__ import annotations

import json
from typing import Any

from engine.controls.control import KINDS, Control
from engine.errors import ConfigError

__all__ = ["described", "description"]

_TEXTS = ("unit", "group", "about")
_FLAGS = ("free", "in_presets", "transport")


def description(control: Control) -> str:
    """A control as one JSON object, without empty fields."""
    every: dict[str, object] = {
        "name": control.name, "kind": control.kind, "default": control.default,
        "low": control.low, "high": control.high, "unit": control.unit,
        "choices": list(control.choices), "free": control.free, "when": control.when,
        "group": control.group, "about": control.about, "in_presets": control.in_presets,
        "transport": control.transport,
    }  # fmt: skip
    present = {n: v for n, v in every.items() if n == "default" or v not in ("", [])}
    return json.dumps(present)


def described(text: str) -> Control:
    """The control that a JSON object describes.

    Raises
    ------
    ConfigError
        It does not describe a control that this version supports.
    """
    try:
        row: dict[str, Any] = json.loads(text)
        name, kind = str(row["name"]), row["kind"]
        if kind not in KINDS or row["when"] not in ("live", "block"):
            raise ValueError(f"kind {kind!r}")
        texts: dict[str, Any] = {key: str(row.get(key, "")) for key in _TEXTS}
        flags: dict[str, Any] = {key: bool(row.get(key, False)) for key in _FLAGS}
        low, high = float(row.get("low", 0.0)), float(row.get("high", 1.0))
        if not low < high:
            raise ValueError(f"range {low} to {high}")
        control = Control(
            name, kind, False, row["when"], low=low, high=high,
            choices=tuple(map(str, row.get("choices", ()))), **texts, **flags,
        )  # fmt: skip
        default = control.clip(row["default"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"a control cannot be shown ({error}); update this program") from error
    return Control(
        name, kind, default, control.when, low=low, high=high, choices=control.choices,
        **texts, **flags,
    )  # fmt: skip
