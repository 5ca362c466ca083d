"""Who listens to an instrument: to events, notes, blocks and sound.

A part of `Instrument`, in a file of its own. Any thread may call it. Each way to listen returns a
function that removes the listener. Listeners are called in the thread in which something happens
and must not wait; one that raises is counted (`listener_errors`) and reported, and stops neither
the music nor the other listeners.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from engine.arguments import checked_text
from engine.audio.mixer import Block
from engine.listeners import Listeners
from engine.rig import Rig
from engine.signal.roll import NoteEvent
from engine.status import Event
from engine.stream.made import Made
from engine.time.clock import Clock

__all__ = ["Listening"]


class Listening:
    """See the module's first lines; `Instrument` makes the attributes."""

    _rig: Rig
    _clock: Clock
    _lock: threading.RLock
    _begun: float
    _event_listeners: Listeners[Event]
    events: deque[Event]

    def listen(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call `listener` with every event."""
        return self._event_listeners.add(listener)

    def listen_notes(self, listener: Callable[[NoteEvent], object]) -> Callable[[], None]:
        """Call `listener` with every note as it goes to the output, timed from the mixer's start.

        A note is audible `latencies().live` after that.
        """
        return self._rig.note_listeners.add(listener)

    def listen_blocks(self, listener: Callable[[Made], object]) -> Callable[[], None]:
        """Call `listener` with every block as it is generated, and with what is dropped.

        It is called at once with the last blocks, which may not be audible yet.
        """
        return self._rig.blocks.add(listener)

    def tap(self, tap: Callable[[Block], object]) -> Callable[[], None]:
        """Call `tap` with every period that goes to the output, in the mixer's thread.

        It must not keep the array [frames, channels]. Taps stay over changes of pack and device.
        """
        return self._rig.taps.add(tap)

    @property
    def listener_errors(self) -> int:
        """How often a listener raised; an event of kind `error` describes it."""
        rig = self._rig
        listeners = (self._event_listeners, rig.note_listeners, rig.blocks.listeners, rig.taps)
        return sum(one.errors for one in listeners)

    def say(self, kind: str, text: str) -> None:
        """Send an event to all who listen, in this thread.

        Raises
        ------
        ConfigError
            Kind or text is not text.
        """
        self._say(checked_text("say", kind), checked_text("say", text))

    def _say(self, kind: str, text: str) -> None:
        event = Event(kind, text, self._clock.now() - self._begun if self._begun else 0.0)
        self.events.append(event)
        self._event_listeners(event)
