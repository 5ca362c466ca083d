"""Listeners of an instrument: each way to listen, its removal, and what happens when one raises."""

import logging
import time

import numpy as np
import pytest
from tiny_pack import TINY

from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.listeners import Listeners
from engine.stream.block_events import BlockListeners, DroppedAudio, GeneratedBlock

WAYS = ("listen", "listen_notes", "listen_blocks", "tap")


def wait_until(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen in time")


def boom(_):
    raise ValueError("the listener is broken\nin two lines")


@pytest.fixture
def broken_log(caplog):
    """The traceback of a listener goes to the log, not to the screen of the test."""
    caplog.set_level(logging.CRITICAL, logger="attacca.listeners")


def test_a_listener_is_called_until_it_is_removed_and_removing_it_twice_does_nothing():
    listeners, got = Listeners("tests", pytest.fail), []
    remove = listeners.add(got.append)
    again = listeners.add(got.append)
    listeners(1)
    remove()
    remove()
    listeners(2)
    again()
    listeners(3)
    assert got == [1, 1, 2]
    assert len(listeners) == 0


def test_a_listener_that_raises_is_counted_and_reported_and_others_are_called(broken_log):
    said, got = [], []
    listeners = Listeners("tests", said.append)
    listeners.add(boom)
    listeners.add(got.append)
    listeners(1)
    listeners(2)
    assert got == [1, 2]
    assert listeners.errors == len(said) == 2
    assert said[0] == (
        "listener 'boom' to tests failed (ValueError: the listener is broken in two lines); the "
        "music continues; fix or remove it"
    )


def test_the_traceback_of_a_listener_that_raises_is_logged_once(caplog):
    listeners = Listeners("tests", lambda _: None)
    listeners.add(boom)
    listeners(1)
    listeners(2)
    (record,) = caplog.records
    assert record.exc_info[0] is ValueError


def test_a_listener_may_remove_itself_and_add_others_while_it_is_called():
    blocks, got = BlockListeners(pytest.fail), []

    def once(made):
        remove()
        blocks.add(got.append)

    remove = blocks.add(once)
    first, second = DroppedAudio(1.0, 2.0), DroppedAudio(3.0, 4.0)
    blocks.publish(first)
    blocks.publish(second)
    assert got == [first, second]


def test_a_new_listener_to_blocks_that_raises_on_the_last_ones_is_reported(broken_log):
    said = []
    blocks = BlockListeners(said.append)
    blocks.publish(DroppedAudio(1.0, 2.0))
    blocks.add(boom)
    blocks.publish(DroppedAudio(3.0, 4.0))
    assert blocks.listeners.errors == len(said) == 2


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_listen_returns_what_removes_the_listener(way, piano_stub):
    instrument, happen = piano_stub
    got = []
    remove = getattr(instrument, way)(got.append)
    happen[way]()
    count = len(got)
    assert count > 0
    remove()
    happen[way]()
    assert len(got) == count


@pytest.mark.parametrize("way", WAYS)
def test_a_listener_that_raises_stops_neither_the_music_nor_others(way, broken_log):
    got = []
    with Instrument(TINY, latency=1.0, threads=1) as instrument:
        getattr(instrument, way)(boom)
        getattr(instrument, way)(got.append)
        instrument.play(None)
        instrument.wait_for_sound()
        if way == "listen_notes":  # the pack of the tests has none
            instrument._outlets.notes(None)
        instrument.publish_event("test", "something happens")
        wait_until(lambda: instrument.status().stream.blocks > 8)
        wait_until(lambda: instrument.status().meters.rms[0] > 1e-3)
        wait_until(lambda: got)
        status = instrument.status()
        assert not status.failed
        assert status.stream.restarts == 0
        assert status.listener_errors > 0
        assert instrument._playing.mixer.stats.source_errors == 0
        said = [e.text for e in instrument.events if e.kind == "error"]
        assert len(said) < 4, "it is not repeated with every event"
        assert "'boom'" in said[0]


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_called_is_no_listener(way):
    with pytest.raises(ConfigError, match=r"^listener: 5 cannot be called; use a function$"):
        getattr(Instrument(TINY), way)(5)


@pytest.fixture
def piano_stub():
    """An instrument that does not play, and what makes something happen for each way to listen."""
    instrument = Instrument(TINY)
    block = GeneratedBlock(0, 0.0, 0.1, 4, 0.0, 0.1, False, np.zeros((800, 1), np.float32), 8000)
    return instrument, {
        "listen": lambda: instrument.publish_event("test", "something happened"),
        "listen_notes": lambda: instrument._outlets.notes("note"),
        "listen_blocks": lambda: instrument._outlets.blocks.publish(block),
        "tap": lambda: instrument._outlets.taps(np.zeros((128, 2), np.float32)),
    }
