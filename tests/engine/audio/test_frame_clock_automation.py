"""Live controls at a time, to the frame: the delay-locked loop, the spans, the mixer with both."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_clock import VirtualClock

from engine.audio.automation import MOST, Automation
from engine.audio.frame_clock import FrameClock
from engine.audio.gain import db_to_gain
from engine.audio.mixer import LiveControls, Mixer
from engine.audio.recorder import Recorder
from engine.audio.ring import OutputRing
from engine.audio.sinks import FileSink, NullSink, RingSink
from engine.time.clock import SystemClock

RATE = 48000
PERIOD = 128


# ------------------------------------------------------------------ the loop


@settings(max_examples=12, deadline=None)
@given(
    st.floats(-200, 200),  # parts in a million that the device is off
    st.integers(0, 2**31),
    st.floats(0.0, 0.003),
)
def test_the_line_follows_a_device_whose_reports_have_jitter(ppm, seed, jitter):
    timeline, noise = FrameClock(RATE), np.random.default_rng(seed)
    period = 1 / (RATE * (1 + ppm * 1e-6))
    for n in range(0, 20 * RATE, 256):
        timeline.observe(n, 5.0 + n * period + noise.uniform(0, jitter))
    for ahead in (0, 4800):
        early = (timeline.frame_at(5.0 + (n + ahead) * period) - (n + ahead)) * period
        assert -1e-4 <= -early <= jitter / 2 + 0.0006
    apart = timeline.frame_at(30.1) - timeline.frame_at(30.0)
    assert apart == pytest.approx(4800, abs=1 + 1000 * jitter)


def test_exact_answers_make_an_exact_line():
    timeline = FrameClock(RATE)
    assert timeline.frame_at(0.0) is None
    for n in range(0, RATE, 128):
        timeline.observe(n + 0.25, 7.0 + n / RATE)
    assert timeline.frame_at(8.5) == pytest.approx(1.5 * RATE + 0.25, abs=1e-3)


def test_one_answer_far_off_is_passed_over_and_a_jump_is_followed():
    timeline = FrameClock(RATE)
    for n in range(0, RATE, 128):
        timeline.observe(n, n / RATE)
    timeline.observe(RATE, 1.0 + 0.08)  # the thread was held up
    timeline.observe(RATE + 128, 1.0 + 128 / RATE)
    assert timeline.frame_at(2.0) == pytest.approx(2 * RATE, abs=1)
    for n in range(RATE + 256, RATE + 2048, 128):  # an underrun of 50 ms
        timeline.observe(n, n / RATE + 0.05)
    assert timeline.frame_at(2.0) == pytest.approx(1.95 * RATE, abs=1)
    timeline.reset()
    assert timeline.frame_at(2.0) is None


# ------------------------------------------------------------------ the spans


@given(st.lists(st.integers(-300, 1000), max_size=30), st.integers(1, 200))
def test_spans_fill_every_period_and_each_change_begins_at_its_frame(frames, period):
    automation: Automation[int] = Automation()
    for i, frame in enumerate(frames):
        assert automation.add(frame, lambda i=i: i)
    heard = []
    now = -1
    for start in range(0, 1200, period):
        at = 0
        for first, end, controls in automation.spans(start, period, now):
            assert first == at
            assert first < end
            heard += [controls] * (end - first)
            at, now = end, controls
        assert at == period
    # Of those at one frame the last that was added holds; what is past begins at 0.
    order = sorted(range(len(frames)), key=lambda i: (frames[i], i))
    want = [-1] * len(heard)
    for i in order:
        want[max(0, frames[i]) :] = [i] * (len(heard) - max(0, frames[i]))
    assert heard == want
    assert not len(automation)


def test_what_waits_is_bounded():
    automation: Automation[None] = Automation()
    assert sum(automation.add(n, lambda: None) for n in range(3 * MOST)) == MOST


# ------------------------------------------------------------------ the mixer


class Constant:
    """Always the same value; counts what was pulled."""

    def __init__(self):
        self.pulled = 0

    def pull(self, frames):
        self.pulled += frames
        return np.full((frames, 1), 0.25, np.float32)


class Rig:
    """A mixer into nothing, at the pace of a clock that the test moves, and its recording."""

    def __init__(self, path, **controls):
        self.clock, self.source = VirtualClock(100.0), Constant()
        self.sink = NullSink(RATE, 1, self.clock)
        self.recorder = Recorder(path, RATE, 1, clock=SystemClock(), buffer_s=10.0)
        self.path = path
        self.mixer = Mixer(
            self.source, self.sink, rate_in=RATE, rate_out=RATE, channels_in=1, clock=self.clock,
            taps=(self.recorder.tap,), controls=LiveControls(**controls),
        )  # fmt: skip
        self.sink.start()

    def play(self, seconds, step=0.0017):
        for _ in range(round(seconds / step)):
            while self.sink.frames_needed() > 0:
                self.mixer.process_once()
            self.clock.advance(step)

    def recorded(self):
        self.recorder.stop()
        return soundfile.read(self.path, dtype="float32")[0]


def onsets(sound, after):
    """The first frame of each change of level, where nothing moved for 500 frames before."""
    moves = np.flatnonzero(np.abs(np.diff(sound)) > 1e-4) + 1  # a change begins 2.6 times as steep
    starts = moves[np.diff(moves, prepend=-1000) > 500]
    return [int(n) for n in starts if n > after]


def test_two_gain_changes_100_ms_apart_are_4800_frames_apart_in_the_recording(tmp_path):
    rig = Rig(tmp_path / "take.wav")
    rig.play(0.5)
    at = rig.clock.now() + 0.1234567
    assert rig.mixer.set_at(at, gain_db=-6.0) == 0.0
    assert rig.mixer.set_at(at + 0.1, gain_db=0.0) == 0.0
    rig.play(0.5)
    first, second = onsets(rig.recorded(), 4800)
    assert abs(second - first - 4800) <= 1
    # The sink began at 100 s with frame 0: so this is when it is heard.
    assert abs(first - (at - 100.0) * RATE) <= 1


@pytest.mark.parametrize("offset", [0, 1, 63, 127])
def test_gain_smoothing_begins_at_the_frame_within_a_period(tmp_path, offset):
    rig = Rig(tmp_path / "take.wav")
    rig.play(0.2)
    frame = rig.mixer.frames + 20 * PERIOD + offset + rig.mixer.latency_frames
    assert rig.mixer.set_at(100.0 + frame / RATE, gain_db=-20.0) == 0.0
    rig.play(0.3)
    sound = rig.recorded()
    a = math.exp(-1 / (0.01 * RATE))
    n = np.arange(1, 400)
    want = 0.25 * (0.1 + 0.9 * a**n)
    np.testing.assert_allclose(sound[frame : frame + 399], want, rtol=1e-4)
    np.testing.assert_allclose(sound[frame - 100 : frame], 0.25, rtol=1e-6)


def test_pause_and_its_end_are_exact_too_and_the_source_stands_still_between(tmp_path):
    rig = Rig(tmp_path / "take.wav")
    rig.play(0.2)
    begin, end = 100.35, 100.85
    rig.mixer.set_at(begin, pause=True)
    rig.mixer.set_at(end, pause=False)
    rig.play(0.3)
    pulled = rig.source.pulled
    rig.play(0.3)
    assert rig.source.pulled == pulled
    rig.play(0.5)
    assert rig.source.pulled > pulled
    sound = rig.recorded()
    stop, go = round(0.35 * RATE), round(0.85 * RATE)
    assert sound[stop - 1] == pytest.approx(0.25)
    assert sound[stop] < 0.25
    assert not sound[stop + 480 : go].any()
    assert sound[go] > 0
    assert sound[go + 480] == pytest.approx(0.25)


def test_what_comes_too_late_begins_with_the_next_period_and_says_by_how_much(tmp_path):
    rig = Rig(tmp_path / "take.wav")
    rig.play(0.2)
    late = rig.mixer.set_at(rig.clock.now() - 0.05, gain_db=-6.0)
    at = rig.mixer.frames
    assert late == pytest.approx(0.05 + (1024 + 144) / RATE, abs=0.005)
    rig.play(0.2)
    assert onsets(rig.recorded(), 4800) == [at + rig.mixer.latency_frames]
    assert rig.mixer.controls.gain_db == -6.0


def test_a_change_at_once_and_one_planned_do_not_undo_each_other(tmp_path):
    rig = Rig(tmp_path / "take.wav", gain_db=-3.0)
    rig.play(0.2)
    rig.mixer.set_at(rig.clock.now() + 0.1, gain_db=-6.0)
    rig.mixer.set(mute=True)
    rig.mixer.set(mute=False)
    rig.play(0.3)
    assert rig.mixer.controls == LiveControls(-6.0)
    assert rig.recorded()[-1] == pytest.approx(0.25 * db_to_gain(-6), rel=1e-3)


def test_into_a_file_there_is_no_time_to_plan_for(tmp_path):
    sink = FileSink(tmp_path / "out.wav", RATE, 1)
    mixer = Mixer(
        Constant(), sink, rate_in=RATE, rate_out=RATE, channels_in=1, clock=VirtualClock()
    )  # fmt: skip
    mixer.process_once()
    assert mixer.set_at(1.0, gain_db=-6.0) is None
    assert mixer.controls == LiveControls()
    mixer.finish()


def test_the_time_of_frames_in_a_ring_is_that_of_the_device_that_takes_blocks_of_it():
    clock, ring = VirtualClock(50.0), OutputRing(4096, 1)
    mixer = Mixer(
        Constant(), RingSink(ring, RATE, 2048 / RATE, clock), rate_in=RATE, rate_out=RATE,
        channels_in=1, clock=clock,
    )  # fmt: skip
    sink = mixer._sink
    sink.start()
    noise = np.random.default_rng(3)
    began, taken, late = clock.now(), 0, 0.0
    for _ in range(900):  # a device that takes 256 frames at a time, and a mixer that looks later
        while sink.frames_needed() > 0:
            mixer.process_once()
        clock.advance(max(0.0, began + (taken + 256) / RATE - clock.now()))
        taken += len(ring.read(256))
        late = noise.uniform(0, 0.001)
        clock.advance(late)
    begins = began + 256 / RATE  # when the device took frame 0
    at = clock.now() + 0.2
    frame = mixer._frame_clock.frame_at(at)
    assert frame == pytest.approx((at - begins) * RATE, abs=0.0012 * RATE)
    assert mixer.set_at(at, gain_db=-6.0) == 0.0
    assert mixer.set_at(clock.now() + 0.01, gain_db=-6.0) > 0.01
    mixer.panic()
    mixer.process_once()
    assert mixer.set_at(clock.now() + 0.2, gain_db=0.0) is None  # begun anew
    ring.close()
