"""The counters of the mixer thread, and immutable snapshots of them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.audio.effects import EffectChain

__all__ = ["MixerCounters", "MixerStats", "described"]


@dataclass(frozen=True, slots=True)
class MixerStats:
    """The counters of the mixer.

    Attributes
    ----------
    periods : int
        Periods processed.
    busy_max_s, busy_mean_s : float
        Processing time of a period. If it comes near the length of a period, use fewer effects.
    source_errors : int
        Periods of silence because the source raised; see `last_error`.
    effect_errors : int
        Periods in which an effect was bypassed because it raised or returned an unusable block.
    tap_errors : int
        Times that a tap (recorder, ...) raised.
    bad_frames : int
        Frames with NaN or infinity, replaced by silence: an effect or the model is defective.
    dropped_frames : int
        Frames that the sink had no room for: only when stopped while the device is lost.
    panics : int
        Times that PANIC silenced the output.
    realtime : bool
        Whether the mixer thread has real-time priority; if not, see docs/audio-path.md.
    last_error : str
        The last error of a source, effect or tap, in one line.
    """

    periods: int = 0
    busy_max_s: float = 0.0
    busy_mean_s: float = 0.0
    source_errors: int = 0
    effect_errors: int = 0
    tap_errors: int = 0
    bad_frames: int = 0
    dropped_frames: int = 0
    panics: int = 0
    realtime: bool = False
    last_error: str = ""

    def plus(self, later: MixerStats) -> MixerStats:
        """The sum of these and of those of a later mixer."""
        added = {
            name: getattr(self, name) + getattr(later, name)
            for name in (
                "periods", "source_errors", "effect_errors", "tap_errors", "bad_frames",
                "dropped_frames", "panics",
            )
        }  # fmt: skip
        busy = self.busy_mean_s * self.periods + later.busy_mean_s * later.periods
        return MixerStats(
            **added, busy_max_s=max(self.busy_max_s, later.busy_max_s),
            busy_mean_s=busy / max(1, self.periods + later.periods), realtime=later.realtime,
            last_error=later.last_error or self.last_error,
        )  # fmt: skip


def described(error: BaseException) -> str:
    """The type of an error and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


class MixerCounters:
    """The counters of the processing thread."""

    def __init__(self) -> None:
        self.source_errors = 0
        self.tap_errors = 0
        self.bad_frames = 0
        self.dropped_frames = 0
        self.panics = 0
        self.realtime = False
        self._periods = 0
        self._busy = 0.0
        self._busy_max = 0.0
        self._error = ""

    def set_error(self, error: Exception) -> None:
        """Remember the last error."""
        self._error = described(error)

    def add_time(self, seconds: float) -> None:
        """Count a period and its processing time."""
        self._periods += 1
        self._busy += seconds
        self._busy_max = max(self._busy_max, seconds)

    def snapshot(self, chain: EffectChain) -> MixerStats:
        """The present counters, with those of the effects."""
        return MixerStats(
            periods=self._periods,
            busy_max_s=self._busy_max,
            busy_mean_s=self._busy / max(1, self._periods),
            source_errors=self.source_errors,
            effect_errors=chain.errors,
            tap_errors=self.tap_errors,
            bad_frames=self.bad_frames,
            dropped_frames=self.dropped_frames,
            panics=self.panics,
            realtime=self.realtime,
            last_error=chain.last_error or self._error,
        )
