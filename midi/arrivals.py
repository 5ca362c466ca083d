"""Detects duplicates and echoes of messages. Owned by the desk's thread.

A device may reach Attacca by its own port and through another: a patchbay has connected it to the
port "Attacca" while Attacca listens to it by name, a bridge offers it to a second API, a program
passes on what it receives, or the device has two ports that send the same. A message is a duplicate
if another port has just brought the same bytes. Each message cancels at most one on each other
port, so a port that repeats itself, however quickly, loses nothing.

Notes that Attacca sends may come back as well, from a synthesiser that passes them on or through a
connection from its output to its input. A port on which the notes return, one after the other, is
a loop: there, what was just sent is an echo.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Literal

from midi.message import Message

__all__ = ["WINDOW", "Arrivals", "Verdict"]

Verdict = Literal["new", "duplicate", "echo"]
WINDOW = 0.05  # seconds between two paths: JACK's period of 2,048 frames at 48 kHz is 43 ms
_RETURN = 0.25  # seconds until a note has come back
_LOOP = 2  # notes that return in a row


@dataclass
class _Sent:
    """A message, the ports that brought it, and when the first did (or Attacca sent it)."""

    key: tuple[object, ...]
    at: float
    ports: set[str] = field(default_factory=set)


class _Recent:
    """The messages of the last `window` seconds, the oldest first."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._order: deque[_Sent] = deque()
        self._by_key: defaultdict[tuple[object, ...], deque[_Sent]] = defaultdict(deque)

    def add(self, message: _Sent) -> None:
        self._order.append(message)
        self._by_key[message.key].append(message)

    def find(self, key: tuple[object, ...], port: str) -> _Sent | None:
        """The oldest of these bytes that this port has not brought yet."""
        return next((m for m in self._by_key.get(key, ()) if port not in m.ports), None)

    def expire(self, now: float) -> list[_Sent]:
        """Remove and return the messages older than the window."""
        old: list[_Sent] = []
        while self._order and now - self._order[0].at > self._window:
            message = self._order.popleft()
            old.append(message)
            same = self._by_key[message.key]
            same.popleft()
            if not same:
                del self._by_key[message.key]
        return old


class Arrivals:
    """Classifies every message that arrives. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._received, self._sent = _Recent(WINDOW), _Recent(_RETURN)
        self._returned: dict[str, int] = {}  # notes in a row, by port
        self._echoed: set[tuple[str, int, int]] = set()  # notes whose note-on was an echo

    def sent(self, message: Message, at: float) -> None:
        """Note a message that Attacca sent."""
        self._expire(at)
        self._sent.add(_Sent(_key(message), at))

    def classify(self, port: str, message: Message, at: float) -> Verdict:
        """Classify a message from `port`."""
        self._expire(at)
        if self._is_echo(port, message):
            return "echo"
        key = _key(message)
        twin = self._received.find(key, port)
        if twin is None:
            self._received.add(_Sent(key, at, {port}))
            return "new"
        twin.ports.add(port)
        return "duplicate"

    def is_loop(self, port: str) -> bool:
        """Whether what Attacca sends returns on this port."""
        return self._returned.get(port, 0) >= _LOOP

    def forget(self, port: str) -> None:
        """Forget a port that has disappeared."""
        self._returned.pop(port, None)
        self._echoed = {key for key in self._echoed if key[0] != port}

    def _is_echo(self, port: str, message: Message) -> bool:
        key = _key(message)
        if key[0] == "up":  # as decided for its note-on, so that no note hangs
            place = (port, message.channel, message.note)
            is_echo = place in self._echoed
            self._echoed.discard(place)
            return is_echo
        sent = self._sent.find(key, port)
        if sent is None:
            return False
        sent.ports.add(port)
        if key[0] == "down":
            self._returned[port] = self._returned.get(port, 0) + 1
            if self.is_loop(port):
                self._echoed.add((port, message.channel, message.note))
        return self.is_loop(port)

    def _expire(self, now: float) -> None:
        self._received.expire(now)
        for message in self._sent.expire(now):
            if message.key[0] == "down":
                for port in self._returned.keys() - message.ports:
                    self._returned[port] = 0


def _key(message: Message) -> tuple[object, ...]:
    """The same for equal messages. Note-offs are equal at any velocity."""
    if message.type == "note_on" and message.velocity:
        return ("down", message.channel, message.note, message.velocity)
    if message.type in ("note_on", "note_off"):
        return ("up", message.channel, message.note)
    return (message.type, *message.bytes())
