"""Fixtures of an instrument that plays on virtual time."""

import pytest
from playing_instruments import waiting_on
from tiny_pack import TINY
from virtual_clock import VirtualClock

from engine.instrument import Instrument


@pytest.fixture(scope="module")
def clock():
    return VirtualClock()


@pytest.fixture(scope="module")
def wait_until(clock):
    return waiting_on(clock)


@pytest.fixture
def playing(clock):
    """An instrument that plays without a device, on virtual time."""
    with Instrument(TINY, latency=1.0, clock=clock) as instrument:
        instrument.play(device=None)
        instrument.wait_for_sound()
        yield instrument
