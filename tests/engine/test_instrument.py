"""The instrument as a whole, with a real generator process and no sound card."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playing_instruments import rendered, waiting_on
from tiny_pack import TINY

from engine.audio.recorder import Recorder
from engine.controls.bus import REFUSED
from engine.errors import ConfigError, PackError, StorageError
from engine.instrument import Instrument
from engine.time.clock import SystemClock
from engine.time.quantised_actions import RESET, Part


def test_the_same_seed_makes_the_same_music_and_another_seed_does_not(tmp_path):
    first = rendered(tmp_path / "a.wav", seed=5)
    again = rendered(tmp_path / "b.wav", seed=5)
    other = rendered(tmp_path / "c.wav", seed=6)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    assert first.std() > 1e-3
    assert np.isfinite(first).all()


def test_a_shorter_stride_is_another_way_through_the_same_stream(tmp_path):
    audio = rendered(tmp_path / "a.wav", stride=0.25)
    assert len(audio) == pytest.approx(4.0 * 8000, abs=512)
    assert audio.std() > 1e-3


def test_a_recording_is_played_first_and_then_continued(tmp_path):
    t = np.arange(8000) / 8000
    past = (0.2 * np.sin(2 * np.pi * 440 * t))[:, None].astype(np.float32)
    audio = rendered(tmp_path / "a.wav", past=past)
    # Fade-in and limiter look-ahead aside, the recording is heard; the join has no step.
    level = audio[2000:7000].std()
    assert level == pytest.approx(past.std(), rel=0.05)
    steps = np.abs(np.diff(audio[:, 0]))
    around_the_join = steps[7000:8400].max()
    assert around_the_join < 3 * max(steps[2000:7000].max(), steps[9000:].max())
    assert audio[9000:].std() > 1e-4


def test_music_goes_on_when_the_generator_is_killed(playing, wait_until):
    before = playing.status().stream.blocks
    os.kill(playing.generator_pid, signal.SIGKILL)
    wait_until(lambda: playing.status().stream.blocks > before + 6)
    status = playing.status()
    assert status.stream.restarts == 1
    assert not status.failed
    assert [e.kind for e in playing.events].count("restarted") == 1


def test_a_generator_that_dies_over_and_over_ends_playing_with_one_clear_line():
    """By the machine's clock: each one is killed before it has made a block."""
    with Instrument(TINY, latency=1.0) as instrument:
        instrument.play(device=None)
        end = time.monotonic() + 60
        while not (failed := instrument.status().failed):
            assert time.monotonic() < end
            if pid := instrument.generator_pid:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
    assert "crashed" in failed
    assert "\n" not in failed


def test_a_block_control_is_pending_until_the_next_block_and_then_audible(playing, wait_until):
    playing.set(seed=77)
    wait_until(lambda: playing.status().stream.seed == 77 and not playing.status().stream.pending)


def test_values_are_clipped_and_unknown_controls_refused(playing):
    assert playing.set(temperature=99)["temperature"] == 1.5
    with pytest.raises(ConfigError, match="'loudnes' is not a control"):
        playing.set(loudnes=1)
    with pytest.raises(ConfigError, match=r"'density' is not a control"):
        playing.set(density=3)
    with pytest.raises(ConfigError, match="sampler: 'magic' is not one of its choices"):
        playing.set(sampler="magic")
    assert playing.settings["temperature"] == 1.5


def test_values_that_the_pack_cannot_play_are_taken_back_and_announced(
    playing, monkeypatch, wait_until
):
    wait_until(lambda: playing.status().stream.blocks > 1)
    before, changes = playing.settings, []
    generator = playing._playing.stream.feeder._generator
    make = generator.make

    def picky(request):
        if any(stage.sampler == "heun" for stage in request.stages.values()):
            raise ConfigError("sampler heun: not with this pack; use ddim")
        return make(request)

    monkeypatch.setattr(generator, "make", picky)
    stop = playing.controls.listen(changes.append)
    playing.set(sampler="heun", temperature=0.75, gain=-2.0)
    wait_until(lambda: len(changes) == 2)
    stop()
    assert any(e.kind == "refused" and "sampler heun" in e.text for e in playing.events)
    assert changes[1].origin == REFUSED
    for name in ("sampler", "temperature"):
        assert playing.settings[name] == changes[1].new[name] == before[name]
    assert playing.settings["gain"] == -2.0
    blocks = playing.status().stream.blocks
    wait_until(lambda: playing.status().stream.blocks > blocks + 1)
    assert not playing.status().failed


def test_panic_waits_neither_for_a_listener_that_sets_controls_nor_for_a_slow_disk(
    monkeypatch, tmp_path
):
    """By the machine's clock: what waits here waits for plain locks."""
    clock = SystemClock()
    with Instrument(TINY, latency=1.0, clock=clock) as playing:
        playing.play(None)
        playing.wait_for_sound()
        _panic_waits_for_nothing(playing, clock, monkeypatch, tmp_path)


def _panic_waits_for_nothing(playing, clock, monkeypatch, tmp_path):
    wait_until = waiting_on(clock)
    in_listener, in_disk, go_on = clock.event(), clock.event(), clock.event()

    def listener(_block):
        if threading.current_thread() is threading.main_thread():  # the blocks of before
            return
        in_listener.set()
        go_on.wait(10)
        playing.set(temperature=0.9)
        playing.hold([])

    def slow_end(self):
        in_disk.set()
        go_on.wait(10)
        return end(self)

    end = Recorder.stop
    monkeypatch.setattr(Recorder, "stop", slow_end)
    playing.record(tmp_path / "take.flac")
    stop = playing.listen_blocks(listener)
    slow = clock.thread(lambda: playing.record(None), "slow")
    slow.start()
    assert in_listener.wait(10)
    assert in_disk.wait(10)
    panic = clock.thread(playing.panic, "panic")
    panic.start()
    wait_until(lambda: playing.settings["pause"] is True, 2)
    assert playing.set(gain=-3.0)["gain"] == -3.0
    assert playing.status().paused
    wait_until(lambda: playing.status().meters.rms[0] < 1e-4, 3)
    go_on.set()
    panic.join(5)
    slow.join(5)
    assert not panic.is_alive()
    assert not slow.is_alive()
    stop()
    playing.set(pause=False)
    blocks = playing.status().stream.blocks
    wait_until(lambda: playing.status().stream.blocks > blocks)


def test_panic_stays_silent_until_play_and_drops_what_was_planned(playing, wait_until, clock):
    wait_until(lambda: playing.status().stream.blocks > 4)
    clock.sleep(0.5)  # until the mixer knows when its frames leave
    playing.set(quantise="bar", tempo=20.0)
    playing.quantised_actions.at(RESET, Part(playing.new_piece))
    assert playing.set_at(playing.now() + 0.6, pause=False) == 0.0
    playing.panic()
    assert any(e.kind == "panic" for e in playing.events)
    assert playing.settings["pause"] is True
    assert not playing.quantised_actions.waiting()
    wait_until(lambda: playing.status().meters.rms[0] < 1e-4)
    wait_until(lambda: playing.status().lead.seconds >= playing.latencies().lead)
    loudest = max(playing.status().meters.rms[0] for _ in range(500) if not clock.sleep(0.002))
    assert loudest < 1e-4, "it stays silent, though a new piece is ready"
    playing.set(pause=False)
    wait_until(lambda: playing.status().meters.rms[0] > 1e-3)
    assert not playing.status().failed


def test_pause_holds_the_lead(playing, wait_until, clock):
    playing.set(pause=True)
    wait_until(lambda: playing.status().meters.rms[0] < 1e-4)
    wait_until(lambda: playing.status().lead.seconds >= playing.latencies().lead)
    clock.sleep(0.3)  # a block may still be on its way
    held = playing.status()
    clock.sleep(1.0)
    assert playing.status().stream.blocks == held.stream.blocks
    assert playing.status().lead.seconds == held.lead.seconds
    playing.set(pause=False)
    wait_until(lambda: playing.status().stream.blocks > held.stream.blocks + 2)


def test_the_audible_sound_is_recorded(playing, tmp_path, clock):
    target = tmp_path / "take.flac"
    playing.record(target)
    assert playing.status().recording == target
    clock.sleep(1.2)
    playing.record(None)
    audio, _ = soundfile.read(target)
    assert len(audio) > 0.9 * 48000
    assert audio.std() > 1e-4


def test_a_recording_that_cannot_be_written_does_not_stop_the_music(playing, tmp_path, wait_until):
    with pytest.raises(StorageError):
        playing.record(tmp_path / "missing" / "take.flac")
    blocks = playing.status().stream.blocks
    wait_until(lambda: playing.status().stream.blocks > blocks + 2)


def test_latency_is_reported_by_parts(playing):
    parts = playing.latencies()
    assert parts.block == pytest.approx(0.128 * float(playing.settings["stride"]))
    assert parts.total >= parts.live + parts.block
    assert parts.live < 0.2


def test_a_damaged_pack_is_one_line_and_nothing_is_left_running(tmp_path):

    pack = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    (pack / "step.onnx").write_bytes(b"not a graph")
    instrument = Instrument(pack)
    with pytest.raises(PackError, match=r"step\.onnx: damaged"):
        instrument.play(device=None)
    assert instrument.generator_pid is None


def test_too_short_a_latency_names_the_least():
    with pytest.raises(ConfigError, match=r"latency 0.01 s is too short for this pack; use 0\.18"):
        Instrument(TINY, latency=0.01)
