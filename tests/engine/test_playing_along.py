"""Playing along with a pack that generates notes: held keys, phrases, answers, and its notes."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playing_instruments import rendered
from tiny_pack import TINY

from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.notes.midi_file import read_midi
from engine.notes.note import Note
from engine.packs.plan import block_seconds

PIANO = Path(__file__).parents[2] / "packs" / "piano"
PHRASE = [Note(60, 90, 0.1, 0.6), Note(67, 101, 0.731, 1.3), Note(76, 60, 1.415, 1.9)]


class Piano:
    """The shipped piano, playing into nothing, and what a MIDI port would have got."""

    def __init__(self, clock, **begin):
        self.events = []
        self.instrument = Instrument(PIANO, latency=1.0, threads=1, steps=8, clock=clock)
        self.instrument.listen_notes(self.events.append)
        self.instrument.play(device=None, **begin)
        self.instrument.wait_for_sound()

    @property
    def stream(self):
        return self.instrument.status().stream

    @property
    def down(self):
        keys = set()
        for e in list(self.events):
            (keys.add if e.velocity else keys.discard)(e.pitch)
        return keys

    def struck(self, pitch):
        return any(e.velocity and e.pitch == pitch for e in list(self.events))


@pytest.fixture
def piano(clock):
    player = Piano(clock)
    yield player
    player.instrument.close()


@pytest.fixture(scope="module")
def unharmed(clock):
    """Answers a piano that plays: the same one for as long as nothing has ended its music."""
    players = []

    def player():
        if players and players[0].stream.restarts:
            players.pop().instrument.close()
        if not players:
            players.append(Piano(clock))
        return players[0]

    yield player
    players.pop().instrument.close()


def level(sound, rate, pitch, at):
    """Decibels of a pitch's fundamental over 43 ms from `at` seconds on."""
    n = round(0.0427 * rate)
    x = sound[round(at * rate) :][:n] * np.hanning(n)
    tone = np.exp(-2j * np.pi * 440 * 2 ** ((pitch - 69) / 12) * np.arange(n) / rate)
    return 20 * np.log10(abs(x @ tone) + 1e-6)


def test_a_rendered_phrase_is_in_the_midi_file_and_in_the_sound_at_the_same_times(tmp_path):
    path = tmp_path / "phrase.wav"
    with Instrument(PIANO, threads=1, steps=8, seed=3) as instrument:
        instrument.render(path, 3.5, rate=48000, phrase=PHRASE)
    notes = read_midi(tmp_path / "phrase.mid")
    sound, rate = soundfile.read(path)
    assert rate == 48000
    shift = notes[0].start - PHRASE[0].start
    assert 0 <= shift < block_seconds(instrument.manifest) + 0.1
    for got, asked in zip(notes, PHRASE, strict=False):
        assert (got.pitch, got.velocity) == (asked.pitch, asked.velocity)
        assert got.start == pytest.approx(asked.start + shift, abs=0.045)
        before = level(sound, rate, got.pitch, got.start - 0.045 - 0.043)
        assert level(sound, rate, got.pitch, got.start + 0.045) > before + 20
    assert max(n.end for n in notes) <= len(sound) / rate + 0.01


def test_held_keys_answers_and_phrases_are_played_and_panic_releases_all(
    piano, tmp_path, wait_until
):
    instrument = piano.instrument
    instrument.record(tmp_path / "take.flac")
    instrument.hold([26, 103])
    wait_until(lambda: {26, 103} <= piano.down)
    instrument.hold([])
    wait_until(lambda: not {26, 103} & piano.down)
    instrument.play_phrase([Note(p, 88, 0.1 * i, 0.1 * i + 0.5) for i, p in enumerate((25, 104))])
    wait_until(lambda: piano.struck(25) and piano.struck(104))
    blocks = piano.stream.blocks
    instrument.answer([Note(72, 90, 0, 0.4), Note(74, 90, 0.5, 0.9)])
    t = np.arange(24000) / 24000
    tone = 0.3 * np.sin(2 * np.pi * 440 * t) * np.exp(-2 * t)
    instrument.answer(tone[:, None].astype(np.float32))
    instrument.hold([27])
    wait_until(lambda: piano.stream.blocks > blocks + 2 and 27 in piano.down)
    instrument.hold([])
    instrument.record(None)
    (recorded,) = [e.text for e in instrument.events if e.kind == "recorded"]
    written = {n.pitch for n in read_midi(tmp_path / "take.mid")}
    assert {26, 103, 25, 104, 27} <= written
    assert recorded.endswith("notes in take.mid")
    assert piano.stream.restarts == 0
    assert not instrument.status().failed
    wait_until(lambda: piano.down)
    instrument.panic()
    wait_until(lambda: not piano.down, 1.0)


def test_the_notes_go_on_when_the_generator_is_killed(piano, wait_until):
    piano.instrument.hold([26])
    wait_until(lambda: piano.struck(26))
    os.kill(piano.instrument.generator_pid, signal.SIGKILL)
    wait_until(lambda: piano.stream.restarts == 1)
    piano.instrument.hold([103])
    wait_until(lambda: 103 in piano.down and 26 not in piano.down)


def test_every_key_is_let_go_when_the_instrument_is_closed(piano, wait_until):
    piano.instrument.hold([40])
    wait_until(lambda: 40 in piano.down)
    piano.instrument.close()
    assert piano.down == set()


def test_keys_held_before_playing_are_held_when_it_plays(wait_until, clock):
    instrument = Instrument(PIANO, latency=1.0, threads=1, steps=8, clock=clock)
    events = []
    with instrument:
        instrument.listen_notes(events.append)
        instrument.hold([24])
        instrument.play(device=None)
        wait_until(lambda: any(e.seconds > 1.0 for e in list(events)))
    assert any(e.pitch == 24 and e.velocity for e in events)


@pytest.mark.parametrize(
    ("ask", "names"),
    [
        (
            lambda i: i.play_phrase([Note(60, 80, 0.0, 0.0)]),
            "note 0 of the phrase, from 0.0 to 0.0 s",
        ),
        (
            lambda i: i.play_phrase([Note(60, 80, 0.0, float("nan"))]),
            "note 0 of the phrase, from 0.0 to nan s",
        ),
        (lambda i: i.answer(np.zeros((24000, 1, 1), np.float32)), r"\(24000, 1, 1\)"),
        (lambda i: i.hold([60.5]), "key 60.5"),
    ],
    ids=["no length", "not a time", "sound of three dimensions", "half a key"],
)
def test_what_cannot_be_played_is_refused_and_does_not_end_the_music(
    unharmed, ask, names, wait_until
):
    piano = unharmed()
    before = piano.stream.blocks
    with pytest.raises(ConfigError, match=names):
        ask(piano.instrument)
    wait_until(lambda: piano.stream.blocks > before + 2 or piano.stream.restarts)
    assert piano.stream.restarts == 0


def test_keys_may_be_numpy_integers(unharmed, wait_until):
    piano = unharmed()
    piano.instrument.hold(np.array([105]))
    wait_until(lambda: 105 in piano.down)
    piano.instrument.hold([])
    wait_until(lambda: 105 not in piano.down)
    assert piano.stream.restarts == 0


def test_a_pack_without_notes_says_so_in_one_line_and_plays_on(playing, wait_until):
    sound = np.zeros((8000, 1), np.float32)
    for ask, says in (
        (lambda: playing.hold([60]), "pack 'tiny' does not use held keys"),
        (lambda: playing.play_phrase(PHRASE), "play_phrase: pack 'tiny' generates no notes"),
        (lambda: playing.answer(PHRASE), "answer: pack 'tiny' generates no notes"),
        (lambda: playing.answer(sound), "answer: pack 'tiny' generates no notes"),
    ):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert str(caught.value) == says
    playing.hold([])
    blocks = playing.status().stream.blocks
    wait_until(lambda: playing.status().stream.blocks > blocks + 2)
    assert playing.status().stream.restarts == 0


def test_a_pack_without_notes_neither_begins_with_a_phrase_nor_writes_notes(tmp_path):
    path = tmp_path / "a.wav"
    with (
        Instrument(TINY) as instrument,
        pytest.raises(ConfigError, match="pack 'tiny' generates no notes; start it without a"),
    ):
        instrument.render(path, 1.0, phrase=PHRASE)
    assert not path.exists()
    rendered(path, seconds=0.5)
    assert not path.with_suffix(".mid").exists()


@pytest.mark.parametrize("key", [20, 109, -1])
def test_a_key_that_no_piano_has_is_refused(key):
    with pytest.raises(ConfigError, match=rf"key {key} cannot be used; enter keys from 21 to 108"):
        Instrument(PIANO).hold([60, key])


def test_phrases_and_answers_need_something_that_plays():
    instrument = Instrument(PIANO)
    with pytest.raises(ConfigError, match="play_phrase: nothing is playing; start playing first"):
        instrument.play_phrase(PHRASE)
    with pytest.raises(ConfigError, match="answer: nothing is playing; start playing first"):
        instrument.answer(PHRASE)
