"""The mixer, offline and live: what goes into the sink, and what other threads can do to it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import soundfile
import soxr
from virtual_clock import VirtualClock

from engine.audio.mixer import LiveControls, Mixer
from engine.audio.recorder import Recorder
from engine.audio.ring import OutputRing
from engine.audio.sinks import NullSink, RingSink
from engine.errors import ConfigError, StorageError
from engine.time.clock import SystemClock

RATE = 48000
STEP = 2 * np.pi * 440 / RATE


class Tone:
    """440 Hz, as many channels as asked for."""

    def __init__(self, rate=RATE, channels=1, level=0.5):
        self.at, self.rate, self.channels, self.level = 0, rate, channels, level

    def pull(self, frames):
        t = np.arange(self.at, self.at + frames)
        self.at += frames
        x = self.level * np.sin(2 * np.pi * 440 * t / self.rate)
        return np.repeat(x[:, None], self.channels, axis=1).astype(np.float32)


class Sink(NullSink):
    """Keeps all it gets."""

    def __init__(self, channels=2):
        super().__init__(RATE, channels, VirtualClock())
        self.blocks = []

    def write(self, block):
        self.blocks.append(block.copy())
        return super().write(block)

    @property
    def audio(self):
        return np.concatenate(self.blocks)


def mixer(source, sink, **options):
    options = {
        "rate_in": RATE,
        "rate_out": RATE,
        "channels_in": 1,
        "clock": VirtualClock(),
    } | options
    return Mixer(source, sink, **options)


def jump(x):
    return float(np.abs(np.diff(x, axis=0)).max())


OWN = 0.5 * STEP


def test_mono_reaches_both_channels_after_a_fade_in():
    sink = Sink()
    m = mixer(Tone(), sink)
    for _ in range(20):
        m.process_once()
    x = sink.audio
    late = m.latency_frames
    np.testing.assert_array_equal(x[:, 0], x[:, 1])
    np.testing.assert_array_equal(x[late + 480 :, 0], Tone().pull(len(x))[480:-late, 0])
    assert jump(x) <= OWN
    assert abs(x[late + 1, 0]) < 1e-4


@pytest.mark.parametrize("rate_in", [16000, 22050, 44100, 96000])
def test_the_source_is_resampled_without_seams(rate_in):
    class Soxr:
        def __init__(self):
            self.stream = soxr.ResampleStream(rate_in, RATE, 1, dtype="float32")

        def process(self, block):
            return self.stream.resample_chunk(block).reshape(-1, 1)

    sink, source = Sink(), Tone(rate_in)
    m = mixer(source, sink, rate_in=rate_in, resampler=Soxr())
    for _ in range(200):
        m.process_once()
    x = sink.audio[4000:, 0].astype(float)
    t = np.arange(len(x))
    basis = np.stack([np.sin(STEP * t), np.cos(STEP * t)], axis=1)
    rest = x - basis @ np.linalg.lstsq(basis, x, rcond=None)[0]
    assert np.abs(rest).max() < 1e-3
    assert source.at / rate_in == pytest.approx(len(sink.audio) / RATE, abs=0.1)


def test_two_rates_without_a_resampler_are_refused():
    with pytest.raises(ConfigError, match="16000 Hz to 48000 Hz: pass a resampler"):
        mixer(Tone(), Sink(), rate_in=16000)


def test_gain_mute_and_unmute_ramp_without_clicks():
    sink = Sink()
    source = Tone()
    m = mixer(source, sink)
    for change in [{}, {"gain_db": -12.0}, {"mute": True}, {"mute": False}, {"gain_db": 0.0}]:
        m.set(**change)
        for _ in range(40):
            m.process_once()
        if change.get("mute"):
            assert np.abs(sink.audio[-500:]).max() < 1e-4
    x = sink.audio[40 * 128 + 4000 : 80 * 128]
    assert np.abs(x).max() == pytest.approx(0.5 * 10 ** (-12 / 20), rel=0.01)
    assert jump(sink.audio) < OWN + 0.5 / 480 + 1e-3
    assert source.at == 200 * 128, "mute goes on consuming"


def test_pause_stands_still_and_goes_on_where_it_stopped():
    sink, source = Sink(), Tone()
    m = mixer(source, sink)
    for _ in range(20):
        m.process_once()
    m.set(pause=True)
    for _ in range(20):
        m.process_once()
    held = source.at
    for _ in range(20):
        m.process_once()
    assert source.at == held
    assert not sink.audio[-1000:].any()
    m.set(pause=False)
    for _ in range(20):
        m.process_once()
    assert source.at == held + 20 * 128
    assert jump(sink.audio) < OWN + 1e-3
    assert m.controls == LiveControls()


def test_panic_fades_forgets_tails_and_goes_on():
    class Reverb:
        level = 1.0

        def __call__(self, block):
            return block * np.float32(self.level)

        def reset(self):
            self.level = 0.5

    sink, source, taped = Sink(), Tone(), []
    m = mixer(source, sink, effects=[Reverb()], taps=[lambda b: taped.append(b.copy())])
    for _ in range(20):
        m.process_once()
    m.panic()
    for _ in range(20):
        m.process_once()
    x = sink.audio
    assert jump(x) < OWN + 1e-3
    assert (np.abs(x[20 * 128 :]).max(axis=1) < 1e-6).sum() > 40, "it came to silence"
    assert np.abs(x[-1000:]).max() == pytest.approx(0.25, rel=0.01)
    np.testing.assert_array_equal(np.concatenate(taped), x)
    assert m.stats.panics == 1


def test_panic_drops_what_the_ring_holds():
    ring = OutputRing(4096, 2)
    m = mixer(Tone(), RingSink(ring, RATE, 1024 / RATE))
    for _ in range(20):
        m.process_once()
    from test_callback_ring import call

    before = call(ring, 512)
    m.panic()
    m.process_once()
    after = call(ring, 256)
    assert ring.stats().flushed_frames == 20 * 128 - 512 - 240
    assert jump(np.concatenate([before, after])) < OWN + 0.5 * 1.5 / 240


def test_a_failing_effect_is_bypassed_dry_without_a_click_and_counted():
    calls = []

    def flaky(block):
        calls.append(1)
        if 30 <= len(calls) < 32 or len(calls) > 60:
            block[:] = 9.0
            raise RuntimeError("no more\nmemory")
        return -block

    sink = Sink()
    m = mixer(Tone(), sink, effects=[flaky])
    for _ in range(400):
        m.process_once()
    assert m.stats.effect_errors == 2 + 3
    assert len(calls) == 63, "given up after three in a row"
    assert m.stats.last_error == "flaky: RuntimeError: no more"
    assert jump(sink.audio) < OWN + 1.0 * 1.5 / 127 + 1e-3
    tail = Tone().pull(400 * 128)[-1000 - 144 : -144]
    np.testing.assert_allclose(sink.audio[-1000:, :1], tail, atol=1e-6)


def test_an_effect_of_the_wrong_length_is_bypassed_and_one_of_two_channels_is_welcome():
    sink = Sink()
    m = mixer(Tone(), sink, effects=[lambda b: b[:5], lambda b: np.hstack([b, -b])])
    for _ in range(20):
        m.process_once()
    assert m.stats.effect_errors == 3
    np.testing.assert_array_equal(sink.audio[:, 0], -sink.audio[:, 1])
    assert np.abs(sink.audio).max() > 0.4


def test_effects_are_exchanged_while_playing_without_a_click():
    sink = Sink()
    m = mixer(Tone(), sink)
    for effects in [[], [lambda b: -b], [lambda b: b * 0.1], []]:
        m.set_effects(effects)
        for _ in range(10):
            m.process_once()
    assert jump(sink.audio) < OWN + 1.0 * 1.5 / 127 + 1e-3


def test_values_that_are_no_numbers_never_reach_the_sink():
    def broken(block):
        block[3] = np.nan
        block[5] = np.inf
        return block

    sink = Sink()
    m = mixer(Tone(), sink, effects=[broken])
    for _ in range(10):
        m.process_once()
    assert np.isfinite(sink.audio).all()
    assert np.abs(sink.audio).max() <= 1.0
    assert m.stats.bad_frames == 20


def test_a_source_that_raises_or_gives_too_little_is_silence_and_counted():
    class Bad(Tone):
        def pull(self, frames):
            block = super().pull(frames)
            if self.at > 20 * 128:
                raise OSError("gone")
            return block[: frames - (self.at > 10 * 128)]

    m = mixer(Bad(), sink := Sink())
    for _ in range(30):
        m.process_once()
    assert m.stats.source_errors == 20
    assert m.stats.last_error == "OSError: gone"
    assert not sink.audio[-1000:].any()


def test_a_tap_that_raises_does_not_stop_the_sound():
    def tap(_block):
        raise StorageError("full")

    m = mixer(Tone(), sink := Sink(), taps=[tap])
    for _ in range(10):
        m.process_once()
    assert m.stats.tap_errors == 10
    assert sink.audio.any()


def test_loud_music_is_limited_and_the_meter_shows_it():
    m = mixer(Tone(level=3.0), sink := Sink())
    for _ in range(100):
        m.process_once()
    assert np.abs(sink.audio).max() <= 0.9661
    assert m.meters.clips > 5000
    assert m.meters.reduction > 0.6
    assert m.meters.peak == pytest.approx((0.966, 0.966), abs=0.01)


def test_offline_and_live_render_the_same_audio_and_the_recorder_gets_it(tmp_path):
    def play(sink, live):
        taped = Recorder(tmp_path / f"{live}.wav", RATE, 2, clock=SystemClock())
        m = mixer(Tone(), sink, taps=[taped.tap], clock=SystemClock())
        if live:
            m.run_live()
            deadline = time.monotonic() + 5
            while m.stats.periods < 50 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert m.running
            m.stop()
            assert not m.running
        else:
            for _ in range(200):
                m.process_once()
            m.finish()
        assert taped.stop().dropped_frames == 0
        return soundfile.read(tmp_path / f"{live}.wav", dtype="float32")[0]

    class Paced(Sink):
        def __init__(self):
            super().__init__()
            self._clock = SystemClock()

    offline, live = play(off := Sink(), False), play(paced := Paced(), True)
    np.testing.assert_array_equal(offline, off.audio)
    np.testing.assert_array_equal(live, paced.audio)
    both = 40 * 128
    np.testing.assert_array_equal(offline[:both], live[:both])
    assert not offline[-100:].any(), "finished with a fade"
    assert jump(live) < OWN + 1e-3


def test_the_live_thread_keeps_the_ring_at_its_target():
    ring = OutputRing(4096, 2)
    m = mixer(Tone(), RingSink(ring, RATE, 1024 / RATE), clock=SystemClock())
    m.run_live()
    try:
        deadline = time.monotonic() + 5
        while ring.fill < 1024 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        assert 1024 <= ring.fill < 1024 + 128
        with pytest.raises(ConfigError, match="already running"):
            m.run_live()
    finally:
        m.stop()
    m.stop()


def test_what_ends_the_live_thread_is_raised_by_stop():
    class Full(Sink):
        def write(self, block):
            raise StorageError("no space left on device")

    m = mixer(Tone(), Full(), clock=SystemClock())
    m.run_live()
    deadline = time.monotonic() + 5
    while m.running and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(StorageError, match="no space left"):
        m.stop()


def test_controls_from_many_threads_all_arrive():
    m = mixer(Tone(), Sink())
    threads = [threading.Thread(target=lambda: [m.panic() for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    m.process_once()
    assert m.stats.panics == 800
