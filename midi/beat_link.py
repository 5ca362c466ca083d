"""Ableton Link as a tempo source: tempo and bars shared with other programs on the network.

Through LinkPython-extern, which is optional (the extra `link`). It joins a
session only while it is the tempo source. Called by `engine.time.tempo.Tempo` under its lock: it
reads immutable values from Link and is never called from Link's threads. Link has its own clock;
its offset from the instrument's is measured each time.

Of the package: its own code is in the public domain (Unlicense), Link in its wheels is
GPL-2.0-or-later, so that it may be used here under the GPL, version 3 or later.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from engine.errors import MissingExtra
from engine.time.timeline import Timeline

__all__ = ["BeatLink", "require"]


def require() -> Any:
    """The module `link`.

    Raises
    ------
    MissingExtra
        It is not installed, or was not built for this machine.
    """
    try:
        return importlib.import_module("link")
    except ImportError as error:
        raise MissingExtra(
            "Ableton Link needs LinkPython-extern; install it with 'pip install LinkPython-extern'"
        ) from error


class BeatLink:
    """One participant of a Link session.

    Parameters
    ----------
    now : seconds of the instrument's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._link: Any = None

    def open(self, timeline: Timeline) -> None:
        """Join the session on this network, or start one at the current tempo.

        Raises
        ------
        MissingExtra
            Link is not installed.
        """
        link = require().Link(timeline.bpm)
        state = link.captureAppSessionState()
        at = self._micros(link, timeline.at)
        state.requestBeatAtTime(timeline.beat, at, float(timeline.quantum))
        link.commitAppSessionState(state)
        link.enabled = True
        self._link = link

    def close(self) -> None:
        """Leave the session."""
        link, self._link = self._link, None
        if link is not None:
            link.enabled = False

    def timeline(self, now: float, quantum: int) -> Timeline | None:
        """The session's timeline."""
        link = self._link
        if link is None:
            return None
        state = link.captureAppSessionState()
        beat = state.beatAtTime(self._micros(link, now), float(quantum))
        return Timeline(beat, now, state.tempo(), quantum)

    def set_bpm(self, bpm: float, now: float) -> bool:
        """Change the session's tempo, for everyone in it."""
        link = self._link
        if link is None:
            return False
        state = link.captureAppSessionState()
        state.setTempo(bpm, self._micros(link, now))
        link.commitAppSessionState(state)
        return True

    def start(self, now: float, quantum: int) -> bool:
        """Alone in the session, start a bar now; with other peers, the bars do not change."""
        link = self._link
        if link is None:
            return False
        state = link.captureAppSessionState()
        state.requestBeatAtTime(0.0, self._micros(link, now), float(quantum))
        link.commitAppSessionState(state)
        return True

    @property
    def peers(self) -> int:
        """Other peers in the session."""
        return self._link.numPeers() if self._link is not None else 0

    def _micros(self, link: Any, when: float) -> int:
        """A time of the instrument's clock, by Link's clock."""
        return link.clock().micros() + round((when - self._now()) * 1e6)
