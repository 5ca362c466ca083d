"""Another pack, another sound device, the last minute: changed while the music plays."""

import os
import shutil
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from virtual_clock import VirtualClock

from engine.errors import AttaccaError, ConfigError, DeviceError, PackError
from engine.instrument import Instrument
from engine.notes.note import NoteEvent
from engine.pack_settings import first_sampling
from engine.playing import CROSSFADE

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"
PIANO = Path(__file__).parents[2] / "packs" / "piano"
RATE = 48000


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def playing(clock):
    """An instrument playing into nothing, on virtual time."""
    with Instrument(TINY, latency=2.0, threads=1, clock=clock) as instrument:
        instrument.play(device=None)
        instrument.wait_for_sound()
        yield instrument


def another(folder, **replaced):
    """A copy of the tiny pack with parts of its manifest replaced."""
    shutil.copytree(TINY, folder)
    manifest = folder / "pack.toml"
    text = manifest.read_text().replace('name = "tiny"', f'name = "{folder.name}"')
    for old, new in replaced.items():
        text = text.replace(old, new)
    manifest.write_text(text)
    return folder


def quietest(audio, seconds=0.1):
    """The lowest level of any stretch of so many seconds."""
    size = round(seconds * RATE)
    parts = audio[: len(audio) // size * size].reshape(-1, size, audio.shape[1])
    return float(np.sqrt((parts**2).mean(axis=(1, 2))).min())


# ---------------------------------------------------------------- another pack


def test_the_music_goes_over_to_another_pack_without_a_hole_or_a_step(playing, clock, tmp_path):
    other = another(tmp_path / "other")
    playing.set(temperature=1.3, gain=-3.0, seed=9)
    take = tmp_path / "take.wav"
    clock.sleep(1.0)
    playing.record(take)
    clock.sleep(1.0)
    heard, progress = [], []
    before = playing.horizon()[0]
    thread = clock.thread(lambda: playing.load(other, progress.append), "load")
    thread.start()
    while thread.is_alive():
        heard.append((playing.status().pack, playing.horizon()[0]))
        clock.sleep(0.02)
    thread.join()
    clock.sleep(1.0)
    playing.record(None)
    packs = [pack for pack, _ in heard]
    assert packs[0] == "tiny"
    assert packs[-1] == playing.manifest.name == "other"
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    times = [at for _, at in heard]
    assert times == sorted(times), "the music's time goes on"
    assert times[-1] > before + CROSSFADE / 2
    assert playing.settings["temperature"] == first_sampling(playing.manifest).temperature
    assert playing.settings["gain"] == -3.0
    assert playing.settings["seed"] == 9
    assert playing.status().lead.gaps == 0
    audio, rate = soundfile.read(take, dtype="float32", always_2d=True)
    assert rate == RATE
    assert quietest(audio) > 1e-3, "no hole, no silence"
    # A click is a step far beyond any step of the music itself.
    steps = np.abs(np.diff(audio[:, 0]))
    assert steps.max() < 4 * np.percentile(steps, 99.9)


def test_the_old_generator_ends_and_the_new_one_plays_on(playing, clock, tmp_path):
    old = playing.generator_pid
    playing.load(another(tmp_path / "other"))
    assert playing.generator_pid not in (None, old)
    assert not Path(f"/proc/{old}").exists()
    blocks = playing.status().stream.blocks
    deadline = clock.now() + 10
    while playing.status().stream.blocks < blocks + 2:
        assert clock.now() < deadline
        clock.sleep(0.05)


@pytest.mark.parametrize(
    ("pack", "says"),
    [
        ("nowhere", "pack 'nowhere' is not installed"),
        ("damaged", "step.onnx"),
        ("newer", "format"),
    ],
)
def test_a_pack_that_cannot_be_played_is_refused_and_the_old_one_plays_on(
    playing, tmp_path, pack, says
):
    name = pack
    if pack == "damaged":
        name = another(tmp_path / pack)
        (name / "step.onnx").write_bytes(b"no model")
    elif pack == "newer":
        name = another(tmp_path / pack, **{"format = 1": "format = 99"})
    old = playing.generator_pid
    with pytest.raises(PackError, match=says) as caught:
        playing.load(name)
    assert "\n" not in str(caught.value)
    assert playing.status().pack == "tiny"
    assert playing.generator_pid == old
    assert not playing.status().failed


def test_of_two_changes_at_once_the_second_is_refused(playing, clock, tmp_path):
    other, reached, go_on = another(tmp_path / "other"), clock.event(), clock.event()

    def halfway(done):
        if 0.5 <= done < 1.0:
            reached.set()
            go_on.wait(10)

    first = clock.thread(lambda: playing.load(other, halfway), "load")
    first.start()
    assert reached.wait(20)
    for change in (lambda: playing.load(TINY), lambda: playing.move(None)):
        with pytest.raises(ConfigError, match="another change of pack or device is in progress"):
            change()
    assert playing.set(gain=-6.0)["gain"] == -6.0, "controls are not held up"
    go_on.set()
    first.join()
    assert playing.manifest.name == "other"
    assert playing.settings["gain"] == -6.0


def generators() -> set[int]:
    """The generators of this process that run."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            command = (process / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        if int(parent) == os.getpid() and "engine.stream.worker" in command:
            found.add(int(process.name))
    return found


@pytest.mark.parametrize(
    ("reached", "refused"),
    [(0.5, ["pack 'other': playing has ended in the meantime"]), (1.0, [])],
    ids=["while its lead is generated", "when it has just come over"],
)
def test_closing_while_a_pack_is_loaded_ends_both_generators(clock, tmp_path, reached, refused):
    other, problems, is_there = another(tmp_path / "other"), [], clock.event()
    instrument = Instrument(TINY, latency=2.0, threads=1, clock=clock)

    def wait_for_the_end(done):
        if done >= reached:
            is_there.set()
            assert instrument._ending.wait(20)

    def load():
        try:
            instrument.load(other, wait_for_the_end)
        except AttaccaError as error:
            problems.append(str(error))

    with instrument:
        instrument.play(None)
        instrument.wait_for_sound()
        thread = clock.thread(load, "load")
        thread.start()
        assert is_there.wait(20)
        assert len(generators()) == (2 if reached < 1.0 else 1)
    thread.join(20)
    assert not thread.is_alive()
    assert problems == refused
    assert instrument.generator_pid is None
    assert generators() == set()


def test_a_load_with_nothing_playing_is_one_line():
    with pytest.raises(ConfigError, match="nothing is playing; start playing first"):
        Instrument(TINY).load(TINY)


def test_while_paused_the_pack_is_changed_at_once(playing, clock, tmp_path):
    playing.set(pause=True)
    clock.sleep(0.2)
    playing.load(another(tmp_path / "other"))
    assert playing.manifest.name == "other"
    playing.set(pause=False)


def test_the_piano_comes_with_its_notes_and_leaves_no_key_down(playing, clock):
    notes: list[NoteEvent] = []
    playing.listen_notes(notes.append)
    playing.load(PIANO)
    playing.set({"harmony/c": 1.0})
    deadline = clock.now() + 20
    while not any(n.velocity for n in notes):
        assert clock.now() < deadline
        clock.sleep(0.05)
    playing.load(TINY)
    assert "harmony" not in playing.settings.table, "this pack does not have it"
    down = set()
    for n in notes:
        (down.add if n.velocity else down.discard)(n.pitch)
    assert not down


# ---------------------------------------------------------------- another device


@pytest.mark.alone
def test_the_music_moves_from_nothing_into_a_card_and_a_failed_move_puts_the_old_one_back(
    pulse, tmp_path
):
    with Instrument(TINY, latency=2.0, threads=1) as instrument:
        instrument.play(None)
        instrument.wait_for_sound()
        time.sleep(0.5)  # until the lead stands: its first blocks are short
        gaps = instrument.status().lead.gaps
        instrument.record(tmp_path / "take.wav")
        with pulse.recording() as recorded:
            instrument.move("default")
            time.sleep(1.5)
            with pytest.raises(DeviceError, match="there is no sound device 'no such card'"):
                instrument.move("no such card")
            label = instrument.status().device
            assert label != "none"
            time.sleep(2.0)
            instrument.move(None)
        audio = recorded()
        assert instrument.status().device == "none"
        instrument.record(None)
        assert instrument.status().lead.gaps == gaps
    loud = np.abs(audio).max(axis=1) > 1e-3
    assert loud[: 3 * RATE].any(), "heard before the failed move"
    end = np.flatnonzero(loud)[-1]
    assert loud[end - RATE : end].mean() > 0.5, "and after it"
    takes = [soundfile.info(path) for path in sorted(tmp_path.glob("take*.wav"))]
    assert sum(take.duration for take in takes) > 3.0, "recorded over all of them"
    forms = [(take.samplerate, take.channels) for take in takes]
    assert all(a != b for a, b in pairwise(forms)), "another file only for another form"


# ---------------------------------------------------------------- the last minute


def test_the_last_seconds_are_kept_without_a_recording(playing, clock, tmp_path):
    clock.sleep(1.2)
    take = tmp_path / "take.wav"
    playing.record(take)
    clock.sleep(1.0)
    playing.record(None)
    kept = playing.save_recent(tmp_path / "kept.wav", 30.0).seconds
    assert 1.5 < kept < 30.0, "as much as there was"
    sound, rate = soundfile.read(tmp_path / "kept.wav", dtype="float32", always_2d=True)
    assert rate == RATE
    assert len(sound) == pytest.approx(kept * RATE, abs=1)
    heard, _ = soundfile.read(take, dtype="float32", always_2d=True)
    middle = heard[len(heard) // 2 :][:4000]
    at = np.correlate(sound[:, 0], middle[:, 0], "valid").argmax()
    np.testing.assert_array_equal(sound[at : at + 4000], middle)


def test_keeping_before_playing_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="nothing is playing; start playing first"):
        Instrument(TINY).save_recent(tmp_path / "kept.wav", 5)


def test_xruns_are_counted_from_zero_after_a_reset(playing):
    playing.reset_xruns()
    assert playing.status().xruns == 0
