"""The instrument as a whole, with a real generator process and no sound card."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from virtual_clock import VirtualClock

from engine.audio.recorder import Recorder
from engine.controls.bus import REFUSED
from engine.errors import ConfigError, PackError, StorageError
from engine.instrument import Instrument
from engine.notes.midi_file import read_midi
from engine.notes.note import Note
from engine.packs.plan import block_seconds
from engine.time.clock import SystemClock
from engine.time.quantised_actions import RESET, Part

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"
PIANO = Path(__file__).parents[2] / "packs" / "piano"


def rendered(path, seconds=4.0, **options):
    past = options.pop("past", None)
    with Instrument(TINY, **options) as instrument:
        instrument.render(path, seconds, past=past)
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 8000
    return audio


@pytest.fixture(scope="module")
def clock():
    return VirtualClock()


@pytest.fixture(scope="module")
def wait_until(clock):
    return waiting_on(clock)


def waiting_on(clock):
    """Waits, on a clock's time, until a condition holds."""

    def wait(condition, seconds=15.0):
        end = clock.now() + seconds
        while clock.now() < end:
            if condition():
                return
            clock.sleep(0.02)
        pytest.fail("it did not happen in time")

    return wait


@pytest.fixture
def playing(clock):
    """An instrument playing into nothing, on virtual time."""
    with Instrument(TINY, latency=1.0, clock=clock) as instrument:
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
    assert "died" in failed
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
    import shutil

    pack = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    (pack / "step.onnx").write_bytes(b"not a graph")
    instrument = Instrument(pack)
    with pytest.raises(PackError, match=r"step\.onnx: damaged"):
        instrument.play(device=None)
    assert instrument.generator_pid is None


def test_too_short_a_latency_names_the_least():
    with pytest.raises(ConfigError, match=r"latency 0.01 s is too short for this pack; use 0\.18"):
        Instrument(TINY, latency=0.01)


# --------------------------------------------------- a pack that makes notes, then their sound

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
        pytest.raises(ConfigError, match="pack 'tiny' generates no notes: it cannot begin with a"),
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
