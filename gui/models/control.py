"""One control as a window shows it: value, pending, default; and when it applies.

Contract for a widget: read `value`, `norm`, `text`, `pending_seconds`; listen to
`changed`; while a hand is on it call `grab()` and `release()`, in between `set` or
`set_normalised` as often as you like. What the engine says meanwhile does not move the control: it
is shown when the hand has let go and the engine has had time to answer. Sendings are 60 a second
at most, the last value always among them. Qt's main thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from engine.controls.control import FREE, NUMERIC, PITCH_CLASSES, Control, Value, as_number
from osc.addresses import control_address
from osc.values import from_normalised, from_osc, to_normalised, to_osc

__all__ = ["FRAME", "SETTLE", "ControlModel", "Send", "decimals", "shown"]

Send = Callable[..., bool]  # send(address, *arguments): returns whether it was sent
FRAME = 1 / 60  # least seconds between two messages of one control
SETTLE = 0.4  # seconds after the last touch until values from the engine are shown
_RETRY = 0.4  # seconds until a value without an answer is requested again


def shown(control: Control, value: Value) -> str:
    """A value for display, with its unit."""
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
    """Decimal places that distinguish its values."""
    if control.kind != "number":
        return 0
    return 2 if control.high - control.low < 10 else 1


def _read(control: Control, wire: Sequence[object]) -> Value:
    """A received value without float32 noise: 0.3, not 0.30000001192."""
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
    value : the value shown: the user's while they hold the control, else the engine's.
    default : the value after a double click.
    is_known : whether the engine has sent a value.
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
        self._reported: Value | None = None  # the engine's last value
        self._grabbed, self._touched, self._sent = False, -SETTLE, -FRAME
        self._unsent = self._unanswered = self._requested = False
        self._audible_at: float | None = None  # when a block control becomes audible

    # ------------------------------------------------------------------ reading

    @property
    def default(self) -> Value:
        """The default value."""
        return self.control.default

    @property
    def is_block(self) -> bool:
        """Whether it applies from the next block on, not at once."""
        return self.control.when == "block"

    @property
    def is_enabled(self) -> bool:
        """Whether it can be changed."""
        return self.is_known

    @property
    def normalised(self) -> float:
        """The normalised value, 0 to 1; 0.5 for `free` and for texts."""
        if not self.control.has_position:
            return 0.5
        place = to_normalised(self.control, self.value)
        return float(place) if not isinstance(place, str) else 0.5

    @property
    def is_free(self) -> bool:
        """Whether it is left to the music."""
        return self.control.free and self.value == FREE

    @property
    def is_default(self) -> bool:
        """Whether it has its default value."""
        return self.value == self.default

    @property
    def text(self) -> str:
        """The value for display, with its unit."""
        return shown(self.control, self.value)

    @property
    def name(self) -> str:
        """The name for display."""
        if self.control.name.startswith("lock/"):
            return f"Lock {self.control.short}"
        words = self.control.short
        if self.control.part_of:
            words = words.replace("_sharp", "♯")
        return words.replace("_", " ").capitalize()

    @property
    def pending_seconds(self) -> float | None:
        """Seconds until the value is audible; None if it is, 0 while this is unknown."""
        if not self.is_block or not self.is_known:
            return None
        if self._unsent or self._unanswered:
            return 0.0
        if self._audible_at is None:
            return None
        return max(0.0, self._audible_at - self._now())

    @property
    def reported(self) -> Value | None:
        """The engine's value: the last one sent or reported; None before that."""
        return self.value if self._unanswered else self._reported

    # ------------------------------------------------------------------ the hand

    def grab(self) -> None:
        """The user has taken hold of it."""
        self._grabbed = True

    def release(self) -> None:
        """The user has let go."""
        self._grabbed = False
        self._touched = self._now()
        self.changed.emit()

    def set(self, value: object) -> None:
        """Set it, in its own unit; a number out of range is clipped.

        Raises
        ------
        ConfigError
            The control cannot take the value.
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
        """Set it from typed text: a number with or without its unit, or a word.

        Raises
        ------
        ConfigError
            The control cannot take the value, or it is out of range.
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

    def set_normalised(self, place: float) -> None:
        """Set it by its normalised value, 0 to 1."""
        self.set(from_normalised(self.control, place))

    @property
    def step(self) -> float:
        """The change by one key press or wheel notch, in its own unit: 1, 0.1 or 0.01."""
        if self.control.kind != "number":
            return 1.0
        return 10.0 ** math.floor(math.log10((self.control.high - self.control.low) / 40))

    def nudge(self, steps: float) -> None:
        """Change it by a number of steps; a choice or a switch by whole ones."""
        if not self.control.has_position:
            return
        if self.control.kind == "choice":
            place = self.control.choices.index(str(self.value)) + round(steps)
            self.set(min(max(place, 0), len(self.control.choices) - 1))
        elif self.control.kind in ("switch", "action"):
            self.set(int(steps > 0))
        elif self.is_free:
            self.set_normalised(self.normalised)
        else:
            self.set(round(as_number(self.value) + steps * self.step, 6))

    def reset(self) -> None:
        """Back to the default."""
        self.set(self.default)

    def free(self) -> None:
        """Set it to `free`, if it can be."""
        if self.control.free:
            self.set(FREE)

    # ------------------------------------------------------------------ the engine

    def take_value(self, *wire: object) -> None:
        """The engine reports the value."""
        self._reported = _read(self.control, wire)
        answered = self._unanswered and (self._requested or not self.is_block)
        if answered:  # a block control: not before its time is known
            self._unanswered = False
        self._adopt()
        if answered:
            self.changed.emit()

    def take_pending(self, seconds: float) -> None:
        """The engine reports when it is audible; 0 seconds: now."""
        self._audible_at = self._now() + seconds if seconds > 0 else None
        self._unanswered = False
        self.changed.emit()

    def take_refusal(self) -> None:
        """The engine refused the value: show the engine's value again."""
        self._unanswered, self._touched = False, -SETTLE
        self._adopt()

    def take_control(self, control: Control) -> None:
        """The engine describes it again: another pack may have another default."""
        self.control = control
        self.changed.emit()

    def take_lost(self) -> None:
        """The connection is lost: nothing is pending, and the next value is shown."""
        self._audible_at = self._reported = None
        self._unsent = self._unanswered = self.is_known = False
        self._touched = -SETTLE
        self.changed.emit()

    def flush(self) -> None:
        """Send the latest value if it is due; request it again without an answer."""
        now = self._now()
        if self._unsent and now - self._sent >= FRAME:
            self._unsent = False
            if self._send(self.path, *to_osc(self.control, self.value)):
                self._sent, self._unanswered, self._requested = now, True, False
            else:
                self._touched = -SETTLE
        elif self._unanswered and now - self._sent > _RETRY:
            self._sent, self._requested = now, True
            self._send(self.path)  # it does not answer an unchanged value: request it
        if not self._unsent:
            self._adopt()

    @property
    def is_busy(self) -> bool:
        """Whether it needs further ticks."""
        return (
            self._unsent or self._unanswered or self._grabbed
            or self._now() - self._touched <= SETTLE + FRAME
        )  # fmt: skip

    def _adopt(self) -> None:
        """Show the engine's value, unless the user holds it or has just let go."""
        if self._reported is None:
            return
        first, self.is_known = not self.is_known, True
        held = self._grabbed or self._unsent or self._now() - self._touched < SETTLE
        if held and not first:
            return
        if first or self._reported != self.value:
            self.value = self._reported
            self.changed.emit()
