"""What the mixer counts: its thread's own counters, and immutable snapshots of them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.audio.effects import EffectChain

__all__ = ["MixerCounters", "MixerStats", "described"]


@dataclass(frozen=True, slots=True)
class MixerStats:
    """What the mixer has counted, and what to do about each.

    Attributes
    ----------
    periods : int
        Periods processed.
    busy_max_s, busy_mean_s : float
        Time a period took, seconds. Near the period's own length: fewer or lighter effects.
    source_errors : int
        Periods of silence because the source raised; see `last_error`.
    effect_errors : int
        Periods that passed an effect dry because it raised or gave no usable block.
    tap_errors : int
        Times that a tap (recorder, ...) raised.
    bad_frames : int
        Frames with a value that is no number, replaced by silence: a broken effect or model.
    dropped_frames : int
        Frames that the sink had no room for: only when stopped while the device is gone.
    panics : int
        Times PANIC was carried out.
    realtime : bool
        Whether the live thread got real-time scheduling; if not, see docs/audio-path.md.
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
        """These and those of a mixer that went on after this one."""
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
    """An error's kind and the first line of its text."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


class MixerCounters:
    """The processing thread's own counters; `snapshot` makes them immutable."""

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

    def note(self, error: Exception) -> None:
        """Remember an error as the last one."""
        self._error = described(error)

    def add_time(self, seconds: float) -> None:
        """Count a period that took so long."""
        self._periods += 1
        self._busy += seconds
        self._busy_max = max(self._busy_max, seconds)

    def snapshot(self, chain: EffectChain) -> MixerStats:
        """All of it as of now, with what the chain of effects has counted."""
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
