"""All counters of a performance and their meanings: one table for all interfaces.

A test walks the status of the instrument: every counter has a row here, and every row reaches OSC,
the window and the terminal. Pure data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.status import Status

__all__ = ["COUNTERS", "Counter", "count_of", "errors_of"]


@dataclass(frozen=True)
class Counter:
    """One counter.

    Attributes
    ----------
    name : below `/status/`; names under `errors/` count errors.
    field : its path in a Status.
    about : one sentence.
    unit : of the value; empty for a number of times.
    factor : from the field's unit to this one.
    """

    name: str
    field: str
    about: str
    unit: str = ""
    factor: float = 1.0

    @property
    def is_error(self) -> bool:
        """Whether it counts errors."""
        return self.name.startswith("errors/")

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.unit in ("", "frames")


COUNTERS: tuple[Counter, ...] = (
    Counter("xruns", "xruns", "Dropouts: times the sound card needed audio and none was ready."),
    Counter("gaps", "lead.gaps", "Times the music was not ready in time, and sound was held."),
    Counter("restarts", "stream.restarts", "Times the generator was started again."),
    Counter("errors/source", "mixer.source_errors", "Periods of silence: the stream failed."),
    Counter("errors/network", "stream.faults",
            "Blocks in which a network returned NaN or infinity."),
    Counter("errors/effects", "mixer.effect_errors",
            "Periods in which an effect was bypassed because it failed."),
    Counter("errors/taps", "mixer.tap_errors",
            "Times a recorder or another listener to the mixer's sound failed."),
    Counter("errors/listeners", "listener_errors",
            "Times a listener for events, blocks, notes or sound raised an error."),
    Counter("errors/bad_frames", "mixer.bad_frames",
            "Frames with NaN or infinity, which were silenced.", "frames"),
    Counter("errors/dropped_frames", "mixer.dropped_frames",
            "Frames that the output had no room for.", "frames"),
    Counter("errors/underflows", "ring.output_underflows",
            "Dropouts that the sound system itself reports of this device."),
    Counter("errors/actions", "action_faults",
            "Quantised actions that failed because of a defect of the program."),
    Counter("held_magnitudes", "stream.clipped",
            "Magnitudes of a spectrum that were clipped to full scale."),
    Counter("clips", "meters.clips", "Frames that would have clipped without the limiter.",
            "frames"),
    Counter("concealed", "lead.concealed_seconds", "Seconds of held sound in gaps.", "s"),
    Counter("blocks", "stream.blocks", "Blocks that the generator produced."),
    Counter("blocks/joined", "lead.blocks", "Blocks that joined the lead."),
    Counter("panics", "mixer.panics", "Times the sound was silenced by PANIC."),
    Counter("frames/played", "meters.frames", "Frames that were mixed.", "frames"),
    Counter("frames/out", "ring.frames_out", "Frames that this device has read.", "frames"),
    Counter("frames/missing", "ring.missing_frames", "Frames of silence in xruns of this device.",
            "frames"),
    Counter("frames/idle", "ring.idle_frames", "Frames of silence on purpose: paused, flushed.",
            "frames"),
    Counter("frames/flushed", "ring.flushed_frames", "Frames that PANIC dropped.", "frames"),
    Counter("callbacks", "ring.callbacks", "Times that this device requested sound."),
    Counter("callbacks/frames", "ring.last_block", "Frames in its last request.", "frames"),
    Counter("callbacks/xruns", "ring.underruns", "Xruns of this device since it was opened."),
    Counter("periods", "mixer.periods", "Periods that were mixed."),
    Counter("periods/worst", "mixer.busy_max_s", "The longest time that a period took.", "ms",
            1000.0),
    Counter("periods/mean", "mixer.busy_mean_s", "The mean time that a period took.", "ms",
            1000.0),
    Counter("device/tries", "device_tries", "Attempts to reopen a lost device."),
    Counter("recording/dropped", "take.dropped",
            "Seconds missing from the recording: the disk was too slow.", "s"),
)  # fmt: skip


def count_of(status: Status, counter: Counter) -> int | float:
    """The value of a counter."""
    value = reduce(getattr, counter.field.split("."), status)
    assert isinstance(value, (int, float))
    return int(value) if counter.is_whole else float(value) * counter.factor


def errors_of(status: Status) -> dict[str, int]:
    """The errors that have occurred, by their names without the `errors/`."""
    found = {c: int(count_of(status, c)) for c in COUNTERS if c.is_error}
    return {c.name.removeprefix("errors/"): n for c, n in found.items() if n}
