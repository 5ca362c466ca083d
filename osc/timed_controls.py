"""Controls with a time tag, applied in advance so that they are audible at that time.

Runs in the OSC thread. A bundle that only sets controls is split:

- `gain` and `pause`: shortly before the time (by the live latency and `_EARLY`) the mixer gets the
  moment at which they are to be audible, and applies them at that exact frame. At the tag's time
  they become the settings and are published.
- Other live controls: applied at the tag's time.
- Block controls: set when the next block to be requested is the one that will be audible at the
  tag's time, or a later one. They are then published, and pending until they are audible.

If a bundle does anything else (queries, buttons, recalls), all of it waits for its time, in order.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from engine.controls.control import Value
from engine.errors import AttaccaError, ConfigError
from engine.instrument import Instrument
from osc.address import Address
from osc.addresses import AddressSpace
from osc.control import Controls
from osc.packets import Message
from osc.patterns import is_pattern, matching
from osc.schedule import Schedule, on_clock
from osc.values import from_normalised, from_osc

__all__ = ["TimedControls"]

_EARLY = 0.05  # seconds: many periods of the mixer, and many ticks of this thread
_LATE = 0.001
_AT_ONCE = 16  # due actions before incoming packets have their turn
_MIXED = ("gain", "pause")  # applied by the mixer at an exact frame

Act = Callable[[Sequence[Message]], None]


@dataclass(frozen=True)
class _Parts:
    """A split bundle: live messages, values that the mixer plans (by control), block messages."""

    live: tuple[Message, ...]
    mixed: dict[str, Value]
    block: tuple[Message, ...]


class TimedControls:
    """The time-tagged controls of one server.

    Parameters
    ----------
    instrument : must be playing.
    controls : of the same server.
    schedule : runs actions at their time.
    """

    def __init__(self, instrument: Instrument, controls: Controls, schedule: Schedule) -> None:
        self._instrument, self._controls, self._schedule = instrument, controls, schedule
        self._blocks: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def take(self, at: float, messages: Sequence[Message], act: Act, size: int) -> bool:
        """Plan a bundle of `size` bytes for `at` (seconds since 1970); `act` handles messages.

        Returns False if the bundle is late already, or does more than set controls.

        Raises
        ------
        ConfigError
            The time is too far ahead, or too much waits already; nothing will be carried out.
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
        """Set the controls of the block to be requested next. Call several times a second."""
        for _ in range(_AT_ONCE):
            if not self._blocks or not self._due(self._blocks[0][0]):
                break
            self._blocks.pop(0)[2]()

    def clear(self) -> None:
        """Drop the block controls that wait for their block."""
        self._blocks.clear()

    def _due(self, at: float) -> bool:
        """Whether the block to be requested next is audible at `at`, or later."""
        try:
            latencies = self._instrument.latencies()
            played, begins = self._instrument.horizon()
        except AttaccaError:  # the instrument is closed
            return True
        audible_then = played - latencies.live + self._schedule.ahead(at)
        return audible_then < begins + latencies.block

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
    """Split a bundle; None if it does more than set controls."""
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
                        from_normalised(control, one.arguments[0]) if address.kind == "norm"
                        else from_osc(control, one.arguments)
                    )  # fmt: skip
                except ConfigError:  # the error is sent when it is carried out
                    continue
    return _Parts(tuple(live), mixed, tuple(block))


def _controls(space: AddressSpace, path: str) -> list[Address]:
    if is_pattern(path):
        return [space.controls[p] for p in matching(path, space.controls)]
    return [space.controls[path]] if path in space.controls else []
