"""What a MIDI message has, for type checkers: mido gives its messages their fields at run time.

Which fields there are depends on `type`, as in mido's documentation of message types.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Message"]


class Message(Protocol):
    """A `mido.Message`."""

    type: str
    channel: int
    note: int
    velocity: int
    control: int
    value: int
    pitch: int
    program: int
    pos: int

    def bytes(self) -> list[int]:
        """The message as it is sent."""
        ...
