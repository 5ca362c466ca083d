"""One OSC address: its path, kind, arguments and description. Pure data, any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.controls.control import FREE, Value

__all__ = ["Address", "Kind"]

Kind = Literal["control", "norm", "button", "command", "query", "stream", "answer"]
Access = Literal["get", "set", "get, set"]


@dataclass(frozen=True)
class Address:
    """One address.

    Attributes
    ----------
    path : the OSC address.
    kind : `control`, or `norm` for its normalised value; a `button` acts on 1 (or no argument) and
        ignores 0; a `command` does what its argument says; a `query` is answered; a `stream` sends
        until it is ended; an `answer` is only sent by the server.
    types : OSC type tags of the argument as the server sends it; empty without an argument. The
        server accepts any type that makes sense (osc/values.py).
    access : `set`, `get` (send it without an argument), or both.
    when : `live` or `block`, of controls.
    param : the name of the control behind it.
    has_button : of a command, whether 1 has a meaning, so that a controller shows a button.
    about : one sentence.
    """

    path: str
    kind: Kind
    types: str
    access: Access
    about: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    default: Value | None = None
    free: bool = False
    when: Literal["live", "block", ""] = ""
    param: str = ""
    has_button: bool = False

    @property
    def span(self) -> str:
        """The accepted values, for display."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind == "button":
            return "1"
        if self.low is None or self.high is None:
            return ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.low:.12g} to {self.high:.12g}{unit}{', or ' + FREE if self.free else ''}"
