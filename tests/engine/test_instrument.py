"""The instrument as a whole, with a real generator process and no sound card."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.errors import ConfigError, PackError, StorageError
from engine.instrument import Instrument

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"


def rendered(path, seconds=4.0, **options):
    past = options.pop("past", None)
    with Instrument(TINY, **options) as instrument:
        instrument.render(path, seconds, past=past)
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 8000
    return audio


def wait_until(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen in time")


@pytest.fixture
def playing():
    """An instrument playing into nothing, at the pace of a sound card."""
    with Instrument(TINY, latency=1.0) as instrument:
        instrument.play(device=None)
        instrument.wait_for_sound()
        yield instrument


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


def test_music_goes_on_when_the_generator_is_killed(playing):
    before = playing.status().stream.blocks
    os.kill(playing.generator_pid, signal.SIGKILL)
    wait_until(lambda: playing.status().stream.blocks > before + 6)
    status = playing.status()
    assert status.stream.restarts == 1
    assert not status.failed
    assert [e.kind for e in playing.events].count("restarted") == 1


def test_a_generator_that_dies_over_and_over_is_given_up_with_one_clear_line(playing):
    def kill():
        pid = playing.generator_pid
        if pid:
            os.kill(pid, signal.SIGKILL)
        return playing.status().failed

    wait_until(kill, 60)
    assert "died" in playing.status().failed
    assert "\n" not in playing.status().failed


def test_a_block_control_is_pending_until_the_next_block_and_then_heard(playing):
    playing.set(seed=77)
    wait_until(lambda: playing.status().stream.seed == 77 and not playing.status().stream.pending)


def test_values_are_clipped_and_unknown_controls_refused(playing):
    assert playing.set(temperature=99)["temperature"] == 1.5
    with pytest.raises(ConfigError, match="'loudnes' is no control"):
        playing.set(loudnes=1)
    with pytest.raises(ConfigError, match=r"density: pack .tiny. does not hear it"):
        playing.set(density=3)
    with pytest.raises(ConfigError, match="sampler: 'magic' is unknown"):
        playing.set(sampler="magic")
    assert playing.settings["temperature"] == 1.5


def test_panic_silences_and_begins_anew(playing):
    wait_until(lambda: playing.status().stream.blocks > 4)
    playing.panic()
    assert any(e.kind == "panic" for e in playing.events)
    lowest = min(playing.status().meters.rms[0] for _ in range(300) if not time.sleep(0.002))
    assert lowest < 1e-3, "it falls silent, and does not hold the sound that was to end"
    wait_until(lambda: playing.status().meters.rms[0] > 1e-3)
    assert not playing.status().failed


def test_pause_holds_the_lead(playing):
    playing.set(pause=True)
    wait_until(lambda: playing.status().meters.rms[0] < 1e-4)
    wait_until(lambda: playing.status().lead.seconds >= playing.latencies().lead)
    time.sleep(0.3)  # a block may still be on its way
    held = playing.status()
    time.sleep(1.0)
    assert playing.status().stream.blocks == held.stream.blocks
    assert playing.status().lead.seconds == held.lead.seconds
    playing.set(pause=False)
    wait_until(lambda: playing.status().stream.blocks > held.stream.blocks + 2)


def test_what_is_heard_is_recorded(playing, tmp_path):
    target = tmp_path / "take.flac"
    playing.record(target)
    assert playing.status().recording == target
    time.sleep(1.2)
    playing.record(None)
    audio, _ = soundfile.read(target)
    assert len(audio) > 0.9 * 48000
    assert audio.std() > 1e-4


def test_a_recording_that_cannot_be_written_does_not_stop_the_music(playing, tmp_path):
    with pytest.raises(StorageError):
        playing.record(tmp_path / "missing" / "take.flac")
    blocks = playing.status().stream.blocks
    wait_until(lambda: playing.status().stream.blocks > blocks + 2)


def test_latency_is_told_by_parts(playing):
    parts = playing.latencies()
    assert parts.block == pytest.approx(0.128 * float(playing.settings["stride"]))
    assert parts.total >= parts.live + parts.block
    assert parts.live < 0.2


def test_a_damaged_pack_is_one_line_and_nothing_is_left_running(tmp_path):
    import shutil

    pack = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    (pack / "step.onnx").write_bytes(b"not a graph")
    instrument = Instrument(pack)
    with pytest.raises(PackError, match=r"step\.onnx: damaged"):
        instrument.play(device=None)
    assert instrument.generator_pid is None


def test_too_short_a_latency_names_the_least():
    with pytest.raises(ConfigError, match=r"latency 0.01 s is too short; this pack takes 0\.18"):
        Instrument(TINY, latency=0.01)
