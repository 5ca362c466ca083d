"""Instruments that play on virtual time, for the tests of several files."""

import pytest
import soundfile
from tiny_pack import TINY

from engine.instrument import Instrument


def waiting_on(clock):
    """A function that waits, on a clock's time, until a condition holds."""

    def wait(condition, seconds=15.0):
        end = clock.now() + seconds
        while clock.now() < end:
            if condition():
                return
            clock.sleep(0.02)
        pytest.fail("it did not happen in time")

    return wait


def rendered(path, seconds=4.0, **options):
    """The samples of a file that the tiny pack renders."""
    past = options.pop("past", None)
    with Instrument(TINY, **options) as instrument:
        instrument.render(path, seconds, past=past)
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 8000
    return audio
