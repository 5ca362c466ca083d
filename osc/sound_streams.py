"""Streams of the audible sound: scope and spectrum. Runs in the OSC thread.

The sound is tapped only while a client has a stream. A result is shared by all clients that want
the same within `_FRESH`, so the work is bounded for any number of clients and rates: at most seven
lengths of the scope and one spectrum, 80 times a second. They show the sound that leaves the
sound card now, not what waits in buffers.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.audio.scope import Scope, trace
from engine.audio.spectrum import Bands, Hertz, centres
from engine.errors import AttaccaError
from engine.instrument import Instrument
from osc.stream_messages import floats

__all__ = ["NAMES", "SoundStreams"]

NAMES = ("scope", "spectrum")
_FRESH = 0.0125  # seconds for which a result is reused
_PAIRS = 128  # least and most: 256 values, 1,300 bytes
_SPANS = (1 / 60, 1 / 30, 1 / 15, 1 / 8, 1 / 4, 1 / 2, 1.0)  # seconds that the scope shows
_SEARCH = 0.05  # seconds before those in which it looks for a crossing


class SoundStreams:
    """The sound streams of one server.

    Parameters
    ----------
    instrument : playing.
    now : monotonic clock in seconds.
    """

    def __init__(self, instrument: Instrument, now: Callable[[], float]) -> None:
        self._instrument, self._now = instrument, now
        self._scope: Scope | None = None
        self._stop_tap: Callable[[], None] = _nothing
        self._bands: Bands | None = None
        self._made: dict[tuple[str, float], tuple[float, bytes]] = {}

    def want(self, wanted: bool) -> None:
        """Listen to the sound while somebody wants to see it."""
        if wanted and self._scope is None:
            self._scope = Scope()
            self._stop_tap = self._instrument.tap(self._scope.tap)
        elif not wanted and self._scope is not None:
            self._stop_tap()
            self._scope = None
            self._made.clear()

    def middles(self) -> Hertz:
        """Middle frequencies of the bands in Hz; pictures of made music have the same."""
        return centres(self._instrument.rate, self._instrument.manifest.rate)

    def bands(self) -> bytes:
        """The message with these frequencies."""
        return floats("/spectrum/bands", self.middles().tolist())

    def figure(self, name: str, rate: float) -> bytes:
        """The message of the stream `name` for a client with `rate` Hz."""
        span = max((s for s in _SPANS if s <= 1.001 / rate), default=_SPANS[0])
        key = (name, span if name == "scope" else 0.0)
        now = self._now()
        made, message = self._made.get(key, (-1.0, b""))
        if not message or now - made >= _FRESH:
            message = self._message(name, span)
            self._made[key] = (now, message)
        return message

    def _message(self, name: str, span: float) -> bytes:
        scope = self._scope
        try:
            rate, latencies = self._instrument.rate, self._instrument.latencies()
        except AttaccaError:  # it has been closed
            scope, rate, latencies = None, 0, None
        if scope is None or latencies is None or not rate:
            return floats(f"/{name}", [])
        behind = round((latencies.device + latencies.ring) * rate)
        if name == "scope":
            frames = round(span * rate)
            sound = scope.last(frames + round(_SEARCH * rate), behind=behind)
            return floats("/scope", trace(sound, frames, _PAIRS).tolist())
        middles, bands = self.middles(), self._bands
        if bands is None or bands.rate != rate or bands.middles[-1] != middles[-1]:
            bands = self._bands = Bands(rate, middles)
        levels = bands.levels(scope.last(bands.frame, behind=behind))
        return floats("/spectrum", levels.tolist())


def _nothing() -> None:
    """Do nothing: there is no tap to remove."""
