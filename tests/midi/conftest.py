"""Fixtures of the MIDI tests."""

from __future__ import annotations

import pytest
from steering_bench import Bench

from engine.controls.settings import Settings
from engine.instrument import Instrument


@pytest.fixture
def bench(instrument: Instrument, at_first: Settings) -> Bench:
    instrument.set(**at_first.values)
    return Bench(instrument)
