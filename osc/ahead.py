"""Time-tagged controls, ahead of their time: so that they are heard at it. The OSC thread's own.

A bundle that only sets controls is taken apart.

- `gain` and `pause`: shortly before (the live latency and `_EARLY`) the mixer is told at which
  moment they are to be heard, and they begin at that very frame. At the tag's time itself they
  become the settings, and everyone is told.
- Other live controls: at the tag's time.
- Block controls: when the next block to be asked for is the one that will be heard at the tag's
  time, or one after it. They then become the settings, are told, and are pending until heard.

Where a bundle does more than that (asks, presses, recalls), all of it waits for its time, in order.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from engine.controls.control import Value
from engine.errors import AttaccaError, ConfigError
from engine.instrument import Instrument
from osc.addresses import Address, AddressSpace
from osc.control import Controls
from osc.packets import Message
from osc.patterns import is_pattern, matching
from osc.schedule import Schedule, on_clock
from osc.values import from_norm, from_osc

__all__ = ["Ahead"]

_EARLY = 0.05  # seconds: many of the mixer's periods, and of this thread's looks
_LATE = 0.001
_AT_ONCE = 16  # that are due at the same time, before what comes in has its turn
_MIXED = ("gain", "pause")  # what the mixer applies to the frame

Act = Callable[[Sequence[Message]], None]


@dataclass(frozen=True)
class _Parts:
    """Of a bundle: what is live, the part of that which the mixer can plan, and what is a block's.

    Values of `mixed` are by the names of controls.
    """

    live: tuple[Message, ...]
    mixed: dict[str, Value]
    block: tuple[Message, ...]


class Ahead:
    """The time-tagged controls of one server.

    Parameters
    ----------
    instrument : playing.
    controls : of the same server.
    schedule : of what is carried out at its time.
    """

    def __init__(self, instrument: Instrument, controls: Controls, schedule: Schedule) -> None:
        self._instrument, self._controls, self._schedule = instrument, controls, schedule
        self._blocks: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def take(self, at: float, messages: Sequence[Message], act: Act, size: int) -> bool:
        """Plan a bundle of so many bytes for `at` (seconds since 1970); `act` carries messages out.

        Returns False for one that is late already, or that does more than set controls.

        Raises
        ------
        ConfigError
            It is too far ahead, or too much waits already; nothing of it will be carried out.
        """
        parts = _parts(self._controls.space, messages) if self._schedule.ahead(at) > 0 else None
        if parts is None:
            return False
        if parts.live:
            self._live(at, parts, act, size)
        if parts.block:
            action = self._schedule.booked(at, lambda: act(parts.block), size)
            insort(self._blocks, (at, next(self._number), action))
            self.tick()
        return True

    def tick(self) -> None:
        """Carry out what is for the block that will be asked for next. Call some times a second."""
        for _ in range(_AT_ONCE):
            if not self._blocks or not self._due(self._blocks[0][0]):
                break
            self._blocks.pop(0)[2]()

    def clear(self) -> None:
        """Drop the block controls that wait for their block."""
        self._blocks.clear()

    def _due(self, at: float) -> bool:
        """Whether no block after the next one to be asked for is needed to be heard at `at`."""
        try:
            latencies = self._instrument.latencies()
            played, begins = self._instrument.horizon()
        except AttaccaError:  # it has been closed
            return True
        heard_then = played - latencies.live + self._schedule.ahead(at)
        return heard_then < begins + latencies.block

    def _live(self, at: float, parts: _Parts, act: Act, size: int) -> None:
        planned: set[str] = set()

        def plan() -> None:
            there = on_clock(at, self._schedule.wall, self._instrument.now)
            late = self._instrument.set_at(there, **parts.mixed)
            if late is not None:
                planned.update(parts.mixed)
                if late > _LATE:
                    self._schedule.was_late(late)

        def carry_out() -> None:
            with self._controls.rendered(planned):
                act(parts.live)

        self._schedule.at(at, carry_out, size)
        if parts.mixed:
            self._schedule.before(at, self._instrument.latencies().live + _EARLY, plan)


def _parts(space: AddressSpace, messages: Sequence[Message]) -> _Parts | None:
    """A bundle taken apart; None when it does more than set controls."""
    live: list[Message] = []
    block: list[Message] = []
    mixed: dict[str, Value] = {}
    for one in messages:
        found = _controls(space, one.address)
        kinds = {address.when for address in found}
        if not one.arguments or len(kinds) != 1:
            return None
        (live if kinds == {"live"} else block).append(one)
        for address in found:
            if address.param in _MIXED:
                control = space.table[address.param]
                try:
                    mixed[address.param] = (
                        from_norm(control, one.arguments[0]) if address.kind == "norm"
                        else from_osc(control, one.arguments)
                    )  # fmt: skip
                except ConfigError:  # answered when it is carried out
                    continue
    return _Parts(tuple(live), mixed, tuple(block))


def _controls(space: AddressSpace, path: str) -> list[Address]:
    if is_pattern(path):
        return [space.controls[p] for p in matching(path, space.controls)]
    return [space.controls[path]] if path in space.controls else []
