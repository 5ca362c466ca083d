"""Music as arrays: rendered at once, and block by block."""

import gc
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_pack import TINY

from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.notes.midi_file import read_midi
from engine.notes.note import Note, NoteEvent
from engine.offline import pair_notes

PIANO = Path(__file__).parents[2] / "packs" / "piano"
PHRASE = [(60, 90, 0.1, 0.6), (67, 101, 0.731, 1.3), (76, 60, 1.415, 1.9)]
TONE = (0.2 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.float32)


def running(pid):
    return Path(f"/proc/{pid}").exists() if os.name == "posix" else False


def wait_until_gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not running(pid)


def joined(blocks):
    return np.concatenate([block.samples for block in blocks])


# ------------------------------------------------------------------------------ render


@pytest.mark.parametrize("rate", [None, 11025])
def test_samples_are_what_the_file_would_have(tmp_path, rate):
    instrument = Instrument(TINY, seed=5, gain=-3.0)
    instrument.render(tmp_path / "a.wav", 1.5, rate=rate)
    written, file_rate = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)
    samples, notes = instrument.render(seconds=1.5, rate=rate)
    assert samples.dtype == np.float32
    assert samples.shape == (round(1.5 * file_rate), 1)
    np.testing.assert_array_equal(samples, written)
    assert samples.std() > 1e-3
    assert notes == ()
    samples *= 2  # it is the caller's


@pytest.mark.parametrize("seconds", [0.1, 0.777, 1.0])
def test_a_render_has_the_requested_length_and_ends_in_silence(seconds):
    samples, _ = Instrument(TINY).render(seconds=seconds)
    assert len(samples) == round(seconds * 8000)
    assert np.abs(samples[-8:]).max() < 1e-3


def test_rendered_notes_are_those_of_the_midi_file(tmp_path):
    instrument = Instrument(PIANO, threads=1, steps=4, seed=3)
    instrument.render(tmp_path / "a.wav", 3.0, phrase=PHRASE)
    samples, notes = instrument.render(seconds=3.0, phrase=PHRASE)
    written, _ = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)
    np.testing.assert_array_equal(samples, written)
    assert [n.pitch for n in notes[:3]] == [60, 67, 76]
    in_file = read_midi(tmp_path / "a.mid")
    assert len(in_file) == len(notes)
    for note, other in zip(notes, in_file, strict=True):
        assert (note.pitch, note.velocity) == (other.pitch, other.velocity)
        assert note.start == pytest.approx(other.start, abs=0.002)
        assert note.end == pytest.approx(other.end, abs=0.002)
    assert max(n.end for n in notes) <= 3.0


def test_progress_may_end_a_render_into_an_array():
    samples, _ = Instrument(TINY).render(seconds=60.0, progress=lambda done: done < 0.03)
    assert 0.5 * 8000 < len(samples) < 4 * 8000


def test_a_render_into_an_array_that_has_no_room_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"render into a file, or use blocks\(\)$"):
        Instrument(TINY).render(seconds=1e7, rate=192000)


def test_controls_turned_in_another_thread_apply_to_a_render():
    instrument = Instrument(TINY, latency=0.3)
    took = []

    def progress(done):
        if not took and done > 0:
            start = time.monotonic()
            other = threading.Thread(target=lambda: instrument.set(gain=-60.0))
            other.start()
            other.join(5.0)
            took.append(time.monotonic() - start)

    samples, _ = instrument.render(seconds=4.0, progress=progress)
    assert took[0] < 1.0
    assert np.abs(samples[-8000:]).max() < 0.02 < np.abs(samples[:4000]).max()


def test_closing_in_another_thread_ends_a_render():
    instrument, errors = Instrument(TINY), []

    def render():
        try:
            instrument.render(seconds=3600.0)
        except ConfigError as error:
            errors.append(str(error))

    thread = threading.Thread(target=render)
    thread.start()
    while instrument.generator_pid is None:
        time.sleep(0.01)
    instrument.close()
    thread.join(10.0)
    assert not thread.is_alive()
    assert errors == ["render: the instrument was closed in the meantime"]


def test_keys_that_go_down_and_up_are_notes():
    events = [
        NoteEvent(0.5, 60, 80), NoteEvent(1.0, 60, 90), NoteEvent(1.5, 60, 0),
        NoteEvent(0.2, 64, 0), NoteEvent(0.7, 67, 70), NoteEvent(2.5, 70, 70),
    ]  # fmt: skip
    assert pair_notes(events, 2.0) == (
        Note(60, 80, 0.5, 1.0), Note(67, 70, 0.7, 2.0), Note(60, 90, 1.0, 1.5),
    )  # fmt: skip


# ------------------------------------------------------------------------------ blocks


def test_blocks_together_are_what_is_rendered_before_gain_and_limiter():
    instrument = Instrument(TINY, seed=5)
    rendered, _ = instrument.render(seconds=2.0)
    blocks = list(instrument.blocks(2.0))
    samples = joined(blocks)
    assert samples.shape == (16000, 1)
    late = 24  # the limiter's look-ahead: 3 ms
    np.testing.assert_array_equal(samples[2000:15000], rendered[2000 + late : 15000 + late])
    starts = np.cumsum([0, *(len(b.samples) for b in blocks)])[:-1] / 8000
    assert [b.start for b in blocks] == pytest.approx(starts)
    assert all(b.rate == 8000 and b.seconds == len(b.samples) / 8000 for b in blocks)


def test_a_past_is_in_the_first_block_and_joins_what_continues_it():
    instrument = Instrument(TINY, seed=5)
    rendered, _ = instrument.render(seconds=2.0, past=TONE)
    first, *rest = instrument.blocks(2.0, past=TONE)
    assert first.seconds > 1.0
    np.testing.assert_array_equal(first.samples[:7800, 0], TONE[:7800])
    samples = joined([first, *rest])
    np.testing.assert_array_equal(samples[2000:15000], rendered[2024:15024])


def test_what_is_set_between_two_blocks_applies_to_the_second():
    def blocks(change):
        instrument, got = Instrument(TINY, seed=5), []
        with instrument.blocks() as blocks:
            for i, block in enumerate(blocks):
                got.append(block.samples)
                if i == 2:
                    change(instrument)
                if i == 4:
                    return got

    same = blocks(lambda instrument: None)
    other = blocks(lambda instrument: instrument.set(seed=6))
    for i in range(3):
        np.testing.assert_array_equal(same[i], other[i])
    assert np.abs(same[3] - other[3]).max() > 0.01


def test_the_notes_of_blocks_are_timed_from_each_block():
    instrument = Instrument(PIANO, threads=1, steps=4, seed=3)
    told = []
    instrument.listen_notes(told.append)
    blocks = list(instrument.blocks(3.0, phrase=PHRASE))
    assert len(blocks) > 2
    downs = []
    for block in blocks:
        assert all(0 <= n.seconds < block.seconds for n in block.notes)
        downs += [(n.pitch, block.start + n.seconds) for n in block.notes if n.velocity]
    assert [pitch for pitch, _ in downs[:3]] == [60, 67, 76]
    gaps = np.diff([at for _, at in downs[:3]])
    assert gaps == pytest.approx([0.631, 0.684], abs=0.01)
    assert [n.pitch for n in told if n.velocity][:3] == [60, 67, 76]


def test_keys_and_phrases_enter_with_the_next_block():
    instrument = Instrument(PIANO, threads=1, steps=4, seed=3)
    with instrument.blocks() as blocks:
        next(blocks)
        instrument.hold("A0")
        assert 21 in {n.pitch for n in next(blocks).notes}
        instrument.hold([])
        instrument.play_phrase([(108, 90, 0.1, 0.3)])
        struck = {n.pitch for n in next(blocks).notes} | {n.pitch for n in next(blocks).notes}
        assert 108 in struck


@pytest.mark.parametrize("how", ["close", "with", "exhausted", "collected", "instrument"])
def test_the_generator_ends_with_its_blocks_and_the_instrument_can_play_again(how):
    instrument = Instrument(TINY)
    blocks = instrument.blocks(0.2 if how == "exhausted" else None)
    next(blocks)
    pid = instrument.generator_pid
    assert running(pid)
    if how == "close":
        blocks.close()
        blocks.close()
    elif how == "with":
        with blocks:
            pass
    elif how == "exhausted":
        list(blocks)
    elif how == "collected":
        del blocks
        gc.collect()
    else:
        instrument.close()
        assert next(blocks, None) is None
    wait_until_gone(pid)
    assert len(instrument.render(seconds=0.2)[0]) == 1600


def test_a_loop_that_is_left_ends_the_generator():
    instrument = Instrument(TINY)
    for _ in instrument.blocks():
        pid = instrument.generator_pid
        break
    gc.collect()
    wait_until_gone(pid)


def test_blocks_end_when_the_instrument_is_closed_in_another_thread():
    instrument, count = Instrument(TINY), 0
    for _ in instrument.blocks():
        count += 1
        if count == 1:
            threading.Timer(0.3, instrument.close).start()
    assert count > 1
    assert instrument.generator_pid is None


def test_nothing_else_starts_while_there_are_blocks():
    instrument = Instrument(TINY)
    with instrument.blocks() as blocks:
        for start in (
            lambda: instrument.play(None),
            lambda: instrument.render(seconds=1),
            instrument.blocks,
        ):
            with pytest.raises(ConfigError, match="is already playing; close"):
                start()
        assert len(next(blocks).samples)


def test_a_generator_that_is_killed_is_replaced_and_blocks_go_on():
    instrument = Instrument(TINY)
    with instrument.blocks() as blocks:
        next(blocks)
        os.kill(instrument.generator_pid, 9)
        assert all(len(next(blocks).samples) for _ in range(3))
    assert [e.kind for e in instrument.events].count("restarted") == 1


def test_a_block_shows_itself_in_one_short_line():
    with Instrument(TINY).blocks() as blocks:
        next(blocks)
        text = repr(next(blocks))
    assert text.startswith("Block(start=0.1")
    assert len(text) < 100
    assert "\n" not in text
