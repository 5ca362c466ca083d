"""Time tags over UDP: live controls to the frame of a recording, block controls to the block."""

from __future__ import annotations

import time

import numpy as np
import pytest
import soundfile
from osc_program import Program, build

from engine.instrument import Instrument
from osc.schedule import on_clock
from osc.server import OscServer

CONSTANT = 6.0  # seconds of the music's beginning that are one value, so that gain can be measured


@pytest.fixture
def steady(tmp_path):
    """An instrument that first plays a constant, an OSC server beside it, a program."""
    from tiny_pack import TINY

    with Instrument(TINY, latency=1.0, threads=1) as instrument:
        rate = instrument.manifest.rate
        instrument.play(None, past=np.full((round(CONSTANT * rate), 1), 0.25, np.float32))
        instrument.wait_for_sound()
        with OscServer(instrument, port=0, library=tmp_path / "library") as server:
            program = Program(server.port)
            yield instrument, program
            program.close()


def onsets(sound):
    moves = np.flatnonzero(np.abs(np.diff(sound)) > 1e-4) + 1
    return moves[np.diff(moves, prepend=-1000) > 500]


def test_two_bundles_100_ms_apart_apply_4800_frames_apart(steady, tmp_path):
    instrument, one = steady
    time.sleep(0.4)  # the fade-in, and the resampler's beginning
    instrument.record(tmp_path / "take.wav")
    at = time.time() + 0.3
    one.send_at(at, build("/gain", -6.0))
    one.send_at(at + 0.1, build("/gain", 0.0))
    one.send_at(at + 0.2, build("/gain/norm", 0.5), build("/tempo", 90.0))
    time.sleep(0.25)
    assert instrument.settings["gain"] == 0.0  # not yet: it is told when it is heard
    time.sleep(0.8)
    instrument.record(None)
    assert instrument.settings["gain"] == -24.0
    assert instrument.settings["tempo"] == 90.0
    sound = soundfile.read(tmp_path / "take.wav", dtype="float32")[0][:, 0]
    first, second, third = onsets(sound)
    # The frame is found from the time with a clock that is exact here (there is no device), the
    # wall clock's place on it to a few microseconds: 1 frame is 21.
    assert abs(second - first - 4800) <= 1
    assert abs(third - second - 4800) <= 1
    one.send("/status")
    assert one.wait("/status/osc/late")[1] == 0


def test_a_bundle_too_near_to_its_time_applies_as_soon_as_possible_and_is_counted(steady):
    instrument, one = steady
    time.sleep(0.2)
    one.send_at(time.time() + 0.012, build("/gain", -3.0))  # the mixer is 24 ms ahead
    assert one.wait("/gain") == ("/gain", -3.0)
    assert instrument.settings["gain"] == -3.0
    one.send("/status")
    assert one.wait("/status/osc/late")[1] == 1
    one.send_at(time.time() + 0.2, build("/pause", 1), build("/gain", "loud"))
    assert one.wait("/error")[1:3] == ("/gain", "value")
    assert one.wait("/pause") == ("/pause", 1)
    assert instrument.settings["pause"] is True


def test_a_block_control_is_in_the_block_that_is_audible_at_its_time_and_in_none_before(steady):
    instrument, one = steady
    blocks = []
    asked = []
    feeder = instrument._playing.stream.feeder
    make = feeder._generator.make

    def spied(request):
        asked.append((feeder.horizon()[1] - feeder._in_progress, request.seed))
        return make(request)

    feeder._generator.make = spied
    instrument.listen_blocks(blocks.append)
    time.sleep(0.5)
    ahead = CONSTANT + 1.0
    played = instrument.horizon()[0] - instrument.latencies().live
    at = time.time() + ahead - played  # `ahead` seconds of music will be at the ear then
    one.send_at(at, build("/seed", 4242))
    one.send("/status")
    assert one.wait("/status/osc/waiting")[1] == 1
    assert instrument.settings["seed"] != 4242
    said = one.wait("/seed", timeout=ahead + 5)
    assert said[1] == 4242
    assert time.time() < at + 0.1
    end = time.monotonic() + 10
    while sum(seed == 4242 for _, seed in asked) < 3:
        assert time.monotonic() < end
        time.sleep(0.02)
    first = min(start for start, seed in asked if seed == 4242)
    lasts = blocks[-1].seconds
    # The music may be some ms from where it was thought to be: one block more or less at a seam.
    assert ahead - 2 * lasts < first <= ahead + lasts
    seeds = [seed for start, seed in sorted(asked)]
    assert seeds[0] != 4242, "the control waited"
    assert set(seeds[seeds.index(4242) :]) == {4242}, "and then holds"
    one.send("/status")
    assert one.wait("/status/osc/waiting")[1] == 0


def test_a_block_control_whose_block_is_generated_already_is_set_at_once(steady):
    instrument, one = steady
    before = time.time()
    one.send_at(before + 0.9, build("/seed", 77), build("/gain", -2.0))
    assert one.wait("/seed") == ("/seed", 77)
    assert time.time() < before + 0.85
    assert instrument.settings["gain"] == 0.0
    assert one.wait("/gain") == ("/gain", -2.0)
    assert time.time() >= before + 0.899


def test_a_bundle_that_does_more_than_set_waits_as_a_whole(steady):
    _, one = steady
    before = time.time()
    one.send_at(before + 0.4, build("/seed", 78), build("/ping"))
    one.wait("/seed")
    assert time.time() >= before + 0.399
    one.wait("/pong")
    one.send_at(time.time() + 9000, build("/seed", 79))
    assert one.wait("/error")[2] == "limit"


def test_a_time_of_day_is_found_on_another_clock_by_the_tightest_look():
    ticks = iter([0.0, 5.0, 5.0, 5.001, 5.002, 5.004, 5.004, 5.1, 6.0, 6.5])
    days = iter([1000.0, 1005.0005, 1005.003, 1005.05, 1006.2])
    # Looks of 5, 0.001, 0.002, 0.096 and 0.5 s: the second says that day - clock is 1000.
    assert on_clock(1010.0, lambda: next(days), lambda: next(ticks)) == pytest.approx(10.0)


def test_real_clocks_agree_to_microseconds():
    found = [on_clock(2e9, time.time, time.perf_counter) for _ in range(50)]
    assert max(found) - min(found) < 0.001
    assert np.subtract(*np.percentile(found, [90, 10])) < 0.0001
