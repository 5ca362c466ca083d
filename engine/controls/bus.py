"""The control bus: every change of a control goes through it, from whichever interface.

Any thread may change controls. A change is validated, applied to what plays, remembered for undo,
and announced to every listener, all under one lock: listeners receive changes in the order in which
they were applied, and each change says who caused it. No listener has to compare settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from threading import RLock
from types import MappingProxyType

from engine.controls.control import Value
from engine.controls.history import History
from engine.controls.settings import Settings

__all__ = [
    "APPLIED",
    "KEYBOARD",
    "MIDI",
    "PACK",
    "PANIC",
    "PRESET",
    "PYTHON",
    "REDO",
    "REFUSED",
    "TEMPO",
    "UNDO",
    "Change",
    "ControlBus",
    "Origin",
    "Restored",
]  # fmt: skip

_LOCK = "lock/"  # before the name of a control: the control that locks it


@dataclass(frozen=True)
class Origin:
    """Who caused a change.

    Attributes
    ----------
    kind : the interface (`python`, `osc`, `midi`, `keyboard`) or the mechanism (`preset`, `undo`,
        `redo`, `tempo`, `pack`, `panic`, `refused`).
    client : which one of several, such as an OSC client.
    """

    kind: str
    client: Hashable = None


PYTHON, MIDI, KEYBOARD = Origin("python"), Origin("midi"), Origin("keyboard")
PRESET, UNDO, REDO = Origin("preset"), Origin("undo"), Origin("redo")
TEMPO, PACK, PANIC = Origin("tempo"), Origin("pack"), Origin("panic")
APPLIED = Origin("applied")  # a block has taken an action that was pressed
REFUSED = Origin("refused")  # the pack does not take a value: back to the one it plays with
# What these change follows from something else, so it is no gesture of its own.
_NOT_UNDOABLE = (UNDO, REDO, TEMPO, PACK, PANIC, APPLIED, REFUSED)


@dataclass(frozen=True)
class Change:
    """What changed: `old` and `new` have the same full names, those whose value differs.

    `settings` are all controls after the change; their table is another one after a change of
    pack.
    """

    origin: Origin
    old: Mapping[str, Value]
    new: Mapping[str, Value]
    settings: Settings


@dataclass(frozen=True)
class Restored:
    """A preset was applied: what it changed, and the names that the pack does not take."""

    change: Change
    left: tuple[str, ...]


class ControlBus:
    """The controls of one instrument.

    Parameters
    ----------
    settings : the values at the start.
    apply : applies settings to what plays; gets them and the names that were set.
    lock : held during a change.
    now : seconds of a monotonic clock, for undo.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        apply: Callable[[Settings, Collection[str]], None],
        lock: RLock,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._apply = apply
        self._lock = lock
        self._history = History(now)
        self._listeners: tuple[Callable[[Change], None], ...] = ()

    @property
    def settings(self) -> Settings:
        """All controls as they are set."""
        return self._settings

    @property
    def locked(self) -> frozenset[str]:
        """Controls that presets, undo and redo leave alone."""
        return frozenset(
            name.removeprefix(_LOCK)
            for name, value in self._settings.values.items() if name.startswith(_LOCK) and value
        )  # fmt: skip

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` with every change, in the thread that makes it and under the lock.

        It must not wait and must not change controls. Returns what removes it.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return remove

    # ------------------------------------------------------------------ changes

    def set(
        self,
        values: Mapping[str, object],
        origin: Origin,
        *,
        planned: Collection[str] = (),
        seen: Settings | None = None,
    ) -> Change:
        """Set controls by name; numbers out of range are brought into it.

        Parameters
        ----------
        planned : controls that the mixer applies on its own, because it was given the frame at
            which they begin.
        seen : set only the controls that still have the value that they have here.

        Raises
        ------
        ConfigError
            For an unknown name or a value that the control or the pack does not take; nothing is
            changed.
        """
        with self._lock:
            if seen is not None:
                now = self._settings
                values = {
                    n: v for n, v in values.items()
                    if n in now.table and n in seen.table and now[n] == seen[n]
                }  # fmt: skip
            table = self._settings.table
            applied = [table[name].name for name in values if name not in planned]
            return self._change(self._settings.changed(values), applied, origin)

    def restore(self, values: Mapping[str, object], when: str = "") -> Restored:
        """Set what a preset holds, but for what is locked and what the pack does not take.

        `when` restricts it to `live` or `block` controls.
        """
        with self._lock:
            table = self._settings.table
            usable = self._settings.usable(values)
            left = tuple(n for n in values if n not in table or table[n].name not in usable)
            wanted = {
                n: v for n, v in usable.items()
                if table[n].in_presets and n not in self.locked and when in ("", table[n].when)
            }  # fmt: skip
            return Restored(self.set(wanted, PRESET), left)

    def undo(self) -> Change:
        """Undo the last gesture of any interface.

        Raises
        ------
        ConfigError
            There is nothing to undo.
        """
        with self._lock:
            return self._step(self._history.undo, UNDO)

    def redo(self) -> Change:
        """Redo the gesture that was undone last.

        Raises
        ------
        ConfigError
            There is nothing to redo.
        """
        with self._lock:
            return self._step(self._history.redo, REDO)

    def replace(self, settings: Settings, origin: Origin) -> Change:
        """Set all controls and their table: for another pack, whose values they are."""
        with self._lock:
            return self._change(settings, list(settings.values), origin)

    # ------------------------------------------------------------------ under the lock

    def _step(self, step: Callable[[Collection[str]], dict[str, Value]], origin: Origin) -> Change:
        return self.set(self._settings.usable(step(self.locked)), origin)

    def _change(self, new: Settings, applied: Collection[str], origin: Origin) -> Change:
        old = self._settings
        names = [n for n, value in new.values.items() if value != old.values.get(n, value)]
        if names or new.table is not old.table:
            self._settings = new
        change = Change(
            origin, MappingProxyType({name: old.values[name] for name in names}),
            MappingProxyType({name: new.values[name] for name in names}), self._settings,
        )  # fmt: skip
        self._apply(self._settings, applied)
        if origin not in _NOT_UNDOABLE:
            undoable = [n for n in names if self._is_undoable(n)]
            self._history.add(
                origin, {n: old.values[n] for n in undoable}, {n: new.values[n] for n in undoable},
                may_continue=origin != PRESET,
            )  # fmt: skip
        if names or new.table is not old.table:
            for listener in self._listeners:
                listener(change)
        return change

    def _is_undoable(self, name: str) -> bool:
        control = self._settings.table[name]
        return not (control.transport or control.kind == "action" or name.startswith(_LOCK))
