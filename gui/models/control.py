"""One control as a window shows it: value, pending, default; feedback without fights.

Contract for a widget: read `value`, `norm`, `text`, `pending_seconds`; listen to
`changed`; while a hand is on it call `grab()` and `release()`, in between `set` or `set_norm` as
often as you like. What the engine says meanwhile does not move the control: it is shown when the
hand has let go and the engine has had time to answer. Sendings are 60 a second at most, the last
value always among them. Qt's main thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from engine.controls.control import FREE, NUMERIC, PITCH_CLASSES, Control, Value, as_number
from osc.addresses import control_address
from osc.values import from_norm, from_osc, to_norm, to_osc

__all__ = ["FRAME", "SETTLE", "ControlModel", "Send", "decimals", "shown"]

Send = Callable[..., bool]  # send(address, *arguments): whether it went out
FRAME = 1 / 60  # seconds between two sendings of one control, at least
SETTLE = 0.4  # seconds after the last touch until what the engine says is shown
_RETRY = 0.4  # seconds until a value that nobody has answered is asked for again


def shown(control: Control, value: Value) -> str:
    """A value for people, with its unit."""
    if isinstance(value, tuple):
        return _several(control, value)
    if control.kind in ("switch", "action"):
        return "on" if value else "off"
    if isinstance(value, str):
        return value
    number = f"{value:d}" if control.kind == "whole" else f"{value:.{decimals(control)}f}"
    return f"{number.replace('-', chr(0x2212))} {control.unit}".strip()


def _several(control: Control, value: tuple[Any, ...]) -> str:
    """Keys, pitch classes, or texts with their weights."""
    if control.kind == "pitch_classes":
        names = [n[0].upper() + "#" * (len(n) > 1) for n in PITCH_CLASSES]
        return " ".join(name for name, weight in zip(names, value, strict=True) if weight)
    if control.kind == "text":
        return ", ".join(f"{text} ({weight:g})" for text, weight in value)
    return " ".join(map(str, value))


def decimals(control: Control) -> int:
    """How many digits after the point tell its values apart."""
    if control.kind != "number":
        return 0
    return 2 if control.high - control.low < 10 else 1


def _read(control: Control, wire: Sequence[object]) -> Value:
    """What came in, without the digits that float32 makes up: 0.3, not 0.30000001192."""
    value = from_osc(control, wire)
    if isinstance(value, tuple) and control.kind == "pitch_classes":
        return tuple(float(f"{one:.6g}") for one in value)
    return float(f"{value:.6g}") if isinstance(value, float) else value


class ControlModel(QObject):
    """One control of the table.

    Attributes
    ----------
    control : its row of the table.
    path : its OSC address.
    value : as it is shown: the hand's while it is on it, else the engine's.
    default : what a double click goes back to.
    is_known : whether the engine has told a value yet.
    """

    changed = pyqtSignal()

    def __init__(
        self, control: Control, send: Send, now: Callable[[], float], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.control, self.path = control, control_address(control.name)
        self.value = control.default
        self.is_known = False
        self._send, self._now = send, now
        self._told: Value | None = None  # what the engine said last
        self._grabbed, self._touched, self._sent = False, -SETTLE, -FRAME
        self._unsent = self._unanswered = self._asked = False
        self._heard_at: float | None = None  # when a block control is heard, by `now`

    # ------------------------------------------------------------------ reading

    @property
    def default(self) -> Value:
        """What it goes back to."""
        return self.control.default

    @property
    def is_block(self) -> bool:
        """Whether it is heard from the next block on, not at once."""
        return self.control.when == "block"

    @property
    def is_enabled(self) -> bool:
        """Whether turning it does anything."""
        return self.is_known

    @property
    def norm(self) -> float:
        """The value from 0 to 1; in the middle for `free`, which is no number, and for texts."""
        if not self.control.has_position:
            return 0.5
        place = to_norm(self.control, self.value)
        return float(place) if not isinstance(place, str) else 0.5

    @property
    def is_free(self) -> bool:
        """Whether it is left to the music."""
        return self.control.free and self.value == FREE

    @property
    def is_default(self) -> bool:
        """Whether it holds its default."""
        return self.value == self.default

    @property
    def text(self) -> str:
        """The value for people, with its unit."""
        return shown(self.control, self.value)

    @property
    def name(self) -> str:
        """The name for people."""
        if self.control.name.startswith("lock/"):
            return f"Lock {self.control.short}"
        words = self.control.short
        if self.control.part_of:
            words = words.replace("_sharp", "♯")
        return words.replace("_", " ").capitalize()

    @property
    def pending_seconds(self) -> float | None:
        """Seconds until what is shown is heard; None when it is, 0 while nobody knows yet."""
        if not self.is_block or not self.is_known:
            return None
        if self._unsent or self._unanswered:
            return 0.0
        if self._heard_at is None:
            return None
        return max(0.0, self._heard_at - self._now())

    @property
    def reported(self) -> Value | None:
        """What holds in the engine: what it was sent or else reported last; None before that."""
        return self.value if self._unanswered else self._told

    # ------------------------------------------------------------------ the hand

    def grab(self) -> None:
        """A hand is on it."""
        self._grabbed = True

    def release(self) -> None:
        """The hand has let go."""
        self._grabbed = False
        self._touched = self._now()
        self.changed.emit()

    def set(self, value: object) -> None:
        """Turn it, in its own units; what is out of range is brought into it.

        Raises
        ------
        ConfigError
            It is no value of this control.
        """
        has_position = self.control.has_position
        new = from_osc(self.control, (value,)) if has_position else self.control.clip(value)
        self._touched = self._now()
        if new == self.value and not self._unsent and self.control.kind != "action":
            return
        self.value, self._unsent = new, True
        self.flush()
        self.changed.emit()

    def set_text(self, text: str) -> None:
        """Turn it to what somebody typed: a number with or without its unit, or a word.

        Raises
        ------
        ConfigError
            It is not a value of this control, or out of its range, in one line with the range.
        """
        if self.control.kind not in NUMERIC:
            self.set(self.control.check(text.strip()))
            return
        typed = text.strip().replace("\N{MINUS SIGN}", "-").replace(",", ".")
        unit = self.control.unit
        if unit and typed.casefold().endswith(unit.casefold()):
            typed = typed[: -len(unit)].strip()
        if self.control.free and typed.casefold() == FREE:
            typed = FREE
        self.set(self.control.check(typed))

    def set_norm(self, place: float) -> None:
        """Turn it to a place from 0 to 1."""
        self.set(from_norm(self.control, place))

    @property
    def step(self) -> float:
        """What a key or a notch of a wheel turns it by, in its own units: 1, or 0.1, or 0.01."""
        if self.control.kind != "number":
            return 1.0
        return 10.0 ** math.floor(math.log10((self.control.high - self.control.low) / 40))

    def nudge(self, steps: float) -> None:
        """Turn it by so many steps; a choice or a switch by whole ones."""
        if not self.control.has_position:
            return
        if self.control.kind == "choice":
            place = self.control.choices.index(str(self.value)) + round(steps)
            self.set(min(max(place, 0), len(self.control.choices) - 1))
        elif self.control.kind in ("switch", "action"):
            self.set(int(steps > 0))
        elif self.is_free:
            self.set_norm(self.norm)
        else:
            self.set(round(as_number(self.value) + steps * self.step, 6))

    def reset(self) -> None:
        """Back to the default."""
        self.set(self.default)

    def free(self) -> None:
        """Leave it to the music, where it can be."""
        if self.control.free:
            self.set(FREE)

    # ------------------------------------------------------------------ the engine

    def take_value(self, *wire: object) -> None:
        """The engine says what holds."""
        self._told = _read(self.control, wire)
        answered = self._unanswered and (self._asked or not self.is_block)
        if answered:  # of a block control, not before it is told when it is heard
            self._unanswered = False
        self._adopt()
        if answered:
            self.changed.emit()

    def take_pending(self, seconds: float) -> None:
        """The engine says when it is heard; 0 seconds: now."""
        self._heard_at = self._now() + seconds if seconds > 0 else None
        self._unanswered = False
        self.changed.emit()

    def take_refusal(self) -> None:
        """The engine has refused what was sent: back to what holds."""
        self._unanswered, self._touched = False, -SETTLE
        self._adopt()

    def take_control(self, control: Control) -> None:
        """The engine describes it anew: another pack has another default, say."""
        self.control = control
        self.changed.emit()

    def take_lost(self) -> None:
        """The engine is gone: nothing is pending, and what it says next holds."""
        self._heard_at = self._told = None
        self._unsent = self._unanswered = self.is_known = False
        self._touched = -SETTLE
        self.changed.emit()

    def flush(self) -> None:
        """Send what is unsent, if it is time; look whether the engine has answered."""
        now = self._now()
        if self._unsent and now - self._sent >= FRAME:
            self._unsent = False
            if self._send(self.path, *to_osc(self.control, self.value)):
                self._sent, self._unanswered, self._asked = now, True, False
            else:
                self._touched = -SETTLE
        elif self._unanswered and now - self._sent > _RETRY:
            self._sent, self._asked = now, True
            self._send(self.path)  # it says nothing about what holds already: ask
        if not self._unsent:
            self._adopt()

    @property
    def is_busy(self) -> bool:
        """Whether time alone will change what it shows."""
        return (
            self._unsent or self._unanswered or self._grabbed
            or self._now() - self._touched <= SETTLE + FRAME
        )  # fmt: skip

    def _adopt(self) -> None:
        """Show what the engine said, unless a hand is, or was just now, on it."""
        if self._told is None:
            return
        first, self.is_known = not self.is_known, True
        held = self._grabbed or self._unsent or self._now() - self._touched < SETTLE
        if held and not first:
            return
        if first or self._told != self.value:
            self.value = self._told
            self.changed.emit()
