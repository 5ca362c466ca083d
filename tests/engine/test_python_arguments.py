"""Every public method with arguments of odd types: it works, or it says in one line why not."""

import math
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from control_tables import ENGINE_TABLE
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from tiny_pack import TINY

from attacca import Pack, read_past
from engine.arguments import checked_path
from engine.controls.pack_controls import EARLIER_CONTROLS
from engine.controls.settings import Settings
from engine.controls.table import ControlTable
from engine.errors import AttaccaError, ConfigError
from engine.instrument import Instrument
from engine.music_arguments import checked_phrase, checked_sound, is_sound
from engine.notes.note import Note
from engine.notes.note_names import pitch
from engine.packs.read import read_manifest
from engine.scalars import number_of, shown

PIANO = Path(__file__).parents[2] / "packs" / "piano"
PACK = read_manifest(PIANO)
SOUND = np.sin(np.arange(4800) / 10).astype(np.float32) * 0.1


class Hostile:
    """Cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("hostile")


ODD = [
    None, True, -1, 0, 1, 3.7, math.nan, math.inf, -math.inf, 10**400, 1e300, "", "x", "a\nb",
    "a\0b", "\ud800", "~nobody/x", "x" * 5000, b"x", b"", [], [1], [[1, 2], [3]], (), {}, {"a": 1},
    set(), object(), Hostile(), lambda: None, print, int, Ellipsis, 1j, Decimal(3), Fraction(1, 3),
    Path("x"), Path(), range(3), iter([object()]), np.zeros(0), np.zeros(3), np.zeros((2, 4)),
    np.zeros((4, 4)), np.zeros((2, 2, 2)), np.float32(2), np.int64(5), np.bool_(True), np.str_("x"),
    np.array("x"), np.array([None]), np.array(["x", "y"]), np.full((4800, 1), np.nan),
    np.zeros((4800, 3)), np.zeros((1, 4800)), np.zeros(4800, np.uint8), np.zeros(4800, complex),
    np.full(4800, 1e300), memoryview(b"abc"), Exception("x"),
]  # fmt: skip


def works_or_says_why(call):
    """The call returns, or raises one of our errors in one line of bounded length."""
    try:
        return call()
    except AttaccaError as error:
        text = str(error)
        assert text
        assert "\n" not in text
        assert len(text) < 700
        return None


@pytest.fixture(scope="module")
def playing():
    with Instrument(PIANO, threads=1, steps=1, latency=1.0) as instrument:
        instrument.play(None)
        instrument.wait_for_sound()
        yield instrument


@pytest.fixture(scope="module")
def silent():
    return Instrument(TINY)


# What ends the call at once where an odd value is good: another argument that is refused.
CALLS = {
    "Instrument.pack": lambda i, x: Instrument(x),
    "Instrument.latency": lambda i, x: Instrument(TINY, latency=x),
    "Instrument.threads": lambda i, x: Instrument(TINY, threads=x),
    "Instrument.target": lambda i, x: Instrument(TINY, target=x),
    "Instrument.seed": lambda i, x: Instrument(TINY, seed=x),
    "Instrument.harmony": lambda i, x: Instrument(PIANO, harmony=x),
    "play.device": lambda i, x: i.play(x),
    "play.past": lambda i, x: i.play(None, past=x),
    "play.phrase": lambda i, x: i.play(None, phrase=x),
    "render.path": lambda i, x: i.render(x, 0.2),
    "render.seconds": lambda i, x: i.render(seconds=x),
    "render.rate": lambda i, x: i.render(seconds=0.2, rate=x),
    "render.progress": lambda i, x: i.render(seconds=0.2, progress=x),
    "blocks.seconds": lambda i, x: i.blocks(x),
    "blocks.past": lambda i, x: i.blocks(past=x),
    "load": lambda i, x: i.load(x),
    "load.progress": lambda i, x: i.load("no such pack", x),
    "change_target": lambda i, x: i.change_target(x),
    "change_target.progress": lambda i, x: i.change_target("gpu", x),
    "move": lambda i, x: i.move(f"no such device {x}" if type(x) is str else x),
    "set.gain": lambda i, x: i.set(gain=x),
    "set.steps": lambda i, x: i.set(seed=x),
    "set.sampler": lambda i, x: i.set(sampler=x),
    "set.lock/gain": lambda i, x: i.set({"lock/gain": x}),
    "set.density": lambda i, x: i.set(density=x),
    "set.harmony": lambda i, x: i.set(harmony=x),
    "set_at": lambda i, x: i.set_at(x, gain=0.0),
    "set_at.gain": lambda i, x: i.set_at(0.0, gain=x),
    "settings": lambda i, x: i.settings[x] if isinstance(x, str) else None,
    "hold": lambda i, x: i.hold(x),
    "hold one of": lambda i, x: i.hold([60, x]),
    "answer": lambda i, x: i.answer(x),
    "answer one of": lambda i, x: i.answer([x]),
    "play_phrase": lambda i, x: i.play_phrase(x),
    "play_phrase.pitch": lambda i, x: i.play_phrase([(x, 90, 0, 1)]),
    "play_phrase.velocity": lambda i, x: i.play_phrase([Note(60, x, 0, 1)]),
    "play_phrase.start": lambda i, x: i.play_phrase([(60, 90, x, 1)]),
    "play_phrase.end": lambda i, x: i.play_phrase([(60, 90, 0, x)]),
    "record": lambda i, x: i.record(x) if x is None or not _usable(x) else None,
    "save_recent": lambda i, x: i.save_recent(x, 0.1) if not _usable(x) else None,
    "save_recent.seconds": lambda i, x: i.save_recent("/no/such/folder/x.wav", x),
    "listen": lambda i, x: i.listen(x)(),
    "listen_notes": lambda i, x: i.listen_notes(x)(),
    "tap": lambda i, x: i.tap(x)(),
    "publish_event": lambda i, x: i.publish_event(x, x),
    "wait_for_sound": lambda i, x: i.wait_for_sound(x),
    "Pack.open": lambda i, x: Pack.open(x),
    "Pack.self_test": lambda i, x: Pack(PACK).self_test(x) if number_of(x) != 1 else None,
    "read_past": lambda i, x: read_past(x, 24000, 1),
    "read_past.rate": lambda i, x: read_past("x.wav", x, 1),
    "read_past.channels": lambda i, x: read_past("x.wav", 24000, x),
}


def _usable(path):
    """Whether a file would be written of that name: left out, as names are tested with files."""
    try:
        return bool(os.fspath(path)) and Path(path).suffix in (".wav", ".flac", ".ogg")
    except Exception:
        return False


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_argument_of_every_odd_type_works_or_is_refused_in_one_line(
    name, playing, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for value in ODD:
        works_or_says_why(lambda v=value: CALLS[name](playing, v))
    assert playing.status().stream.restarts == 0
    assert not playing.status().failed


def test_no_odd_argument_of_an_instrument_that_plays_ended_its_music(playing):
    playing.hold([])
    blocks = playing.status().stream.blocks
    while playing.status().stream.blocks < blocks + 2:
        assert not playing.status().failed
    assert playing.status().stream.restarts == 0


@pytest.mark.parametrize("name", [n for n in CALLS if n.split(".")[0] in ("render", "blocks")])
def test_odd_arguments_leave_an_instrument_that_does_not_play_usable(
    name, silent, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    odd = [x for x in ODD if not (name == "render.seconds" and number_of(x) >= 1)]
    if name == "render.progress":  # what a function of the caller raises is the caller's
        odd = [x for x in odd if not callable(x)]
    for value in odd:
        blocks = works_or_says_why(lambda v=value: CALLS[name](silent, v))
        if hasattr(blocks, "close"):
            blocks.close()
        assert silent.generator_pid is None


@given(st.lists(st.one_of(st.integers(), st.floats(), st.text(), st.none()), max_size=5))
@profile(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_as_one_note_is_a_note_or_is_refused(fields):
    notes = works_or_says_why(lambda: checked_phrase([fields]))
    if notes is not None:
        (note,) = notes
        assert 21 <= note.pitch <= 108
        assert 1 <= note.velocity <= 127
        assert 0 <= note.start < note.end <= 600


@given(st.dictionaries(st.text(max_size=20), st.one_of(st.floats(), st.text(), st.integers())))
def test_anything_as_controls_is_set_or_is_refused(controls):
    works_or_says_why(lambda: Instrument(TINY).set(**controls))


# ---------------------------------------------------------------------------- what works


@pytest.mark.parametrize(
    "path",
    ["out.flac", Path("out.flac"), type("P", (), {"__fspath__": lambda self: "out.flac"})()],
    ids=["text", "Path", "PathLike"],
)
def test_a_path_is_anything_that_fspath_takes(path, silent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    silent.render(path, 0.2)
    assert (tmp_path / "out.flac").stat().st_size > 0


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert checked_path("x", "~/a.wav") == tmp_path / "a.wav"
    assert checked_path("x", Path("~/a.wav")) == tmp_path / "a.wav"
    assert checked_path("x", "~nobody-of-that-name/a") == Path("~nobody-of-that-name/a")


def test_a_path_of_bytes_is_refused_in_one_line(silent):
    with pytest.raises(ConfigError, match=r"^render: b'out.flac' is bytes; use os.fsdecode"):
        silent.render(b"out.flac", 1.0)


@pytest.mark.parametrize("seconds", [None, "5", 0, -1, math.nan, math.inf, True, [5], 0.05])
def test_seconds_that_are_none_are_refused_before_anything_is_written(silent, tmp_path, seconds):
    with pytest.raises(ConfigError, match=r"^render: seconds: .* use 0.1 to 31,536,000 s$"):
        silent.render(tmp_path / "a.wav", seconds)
    assert not list(tmp_path.iterdir())


def test_seconds_in_place_of_a_path_are_refused_with_the_way_out(silent):
    with pytest.raises(ConfigError, match=r"^render: seconds: None"):
        silent.render(5)


@pytest.mark.parametrize(
    "keys",
    [
        60, np.int64(60), np.array(60), 60.0, "C4", "c4", "B#3", [60], (60, 60), {60},
        range(60, 61), np.array([60]), np.array([60.0]), iter([60]), ["C4"],
    ],
    ids=lambda keys: type(keys).__name__,
)  # fmt: skip
def test_one_key_or_several_of_any_kind_are_held(keys):
    assert ControlTable(EARLIER_CONTROLS)["held"].clip(keys) == (60,)


def test_keys_by_name_are_split_and_sorted():
    assert ControlTable(EARLIER_CONTROLS)["held"].clip("C8, A0 Bb3 F#4") == (21, 58, 66, 108)
    assert pitch("C-1") == 0
    assert pitch("H4") is None


@pytest.mark.parametrize(
    "notes",
    [
        [Note(60, 90, 0.5, 1.0)], [(60, 90, 0.5, 1.0)], [[60, 90, 0.5, 1.0]],
        np.array([[60, 90, 0.5, 1.0]]), np.array([Note(60, 90, 0.5, 1.0)], object),
        (n for n in [(60, 90, 0.5, 1.0)]), ((60.0, np.float32(90), Fraction(1, 2), 1),),
        np.array([(60, 90, 0.5, 1.0)], [("pitch", int), ("velocity", int), ("start", float),
                                        ("end", float)]),
        [type("PrettyMidiNote", (), {"pitch": 60, "velocity": 90, "start": 0.5, "end": 1.0})()],
        [("C4", 90, 0.5, 1.0)],
    ],
    ids=["Note", "tuple", "list", "rows", "objects", "generator", "numbers", "fields", "attributes",
         "name"],
)  # fmt: skip
def test_notes_of_any_kind_are_notes(notes):
    assert not is_sound(notes)
    assert checked_phrase(notes) == (Note(60, 90, 0.5, 1.0),)


@pytest.mark.parametrize("note", [(60,), (60, 90), (60, 90, 0, 1, 2), "abcd", 5, None])
def test_a_note_of_another_length_is_refused_in_one_line(note):
    with pytest.raises(ConfigError, match=r"^note 1 of the phrase, .*: use \(pitch, velocity, st"):
        checked_phrase([(60, 90, 0, 1), note])


def test_a_phrase_that_never_ends_is_refused():
    with pytest.raises(ConfigError, match="use 100,000 notes or fewer"):
        checked_phrase((60, 90, 0, 1) for _ in iter(int, 1))


@pytest.mark.parametrize(
    "samples",
    [
        SOUND, SOUND[:, None], np.stack([SOUND, SOUND], 1), SOUND.astype(np.float64), list(SOUND),
        np.repeat(SOUND, 2)[::2], np.asfortranarray(np.stack([SOUND, SOUND], 1)),
        SOUND.astype(">f4"), SOUND.astype(np.float16), (SOUND * 32768).astype(np.int16),
        (SOUND * 2.0**31).astype(np.int32),
    ],
    ids=["mono", "column", "stereo", "float64", "list", "strided", "fortran", "big endian",
         "float16", "int16", "int32"],
)  # fmt: skip
def test_sound_of_any_kind_is_brought_to_the_form_of_the_pack(samples):
    sound = checked_sound(PACK, samples)
    assert sound.shape == (4800, PACK.channels)
    assert sound.dtype == np.float32
    assert sound.flags.c_contiguous
    np.testing.assert_allclose(sound[:, 0], SOUND, atol=1e-4)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros((1, 4800)), "frames come first; use its transpose, sound.T"),
        (np.zeros((4800, 3)), r"sound of shape \(4800, 3\): use \[frames\] or"),
        (np.zeros(0), "sound of 0 s at 24000 Hz: use 0.05 to 600 s"),
        (np.zeros(10), "sound of 0.000417 s"),
        (np.full(4800, np.nan), "NaN or infinite samples"),
        (np.full(4800, 1e300), "NaN or infinite samples"),
        (np.full(4800, 20000.0), r"a peak of 2e\+04: full scale is 1; divide the samples"),
        (np.zeros(4800, np.int64), "sound of type int64: use floats"),
        (np.zeros(4800, bool), "sound of type bool: use floats"),
        ("take.wav", "sound of shape"),
    ],
)
def test_sound_that_cannot_be_used_is_refused_with_the_way_out(samples, says):
    with pytest.raises(ConfigError, match=says):
        checked_sound(PACK, samples)


def test_an_array_of_four_columns_is_notes_and_any_other_is_sound():
    assert not is_sound(np.zeros((3, 4)))
    assert is_sound(np.zeros((4, 2)))
    assert is_sound(np.zeros(4))
    assert not is_sound([(60, 90, 0, 1)])


@pytest.mark.parametrize(
    "names", ["C E G", "c,e,g", "C  E, G", ("C", "E", "G"), ["G", "E", "C"], {"C", "E", "G"}]
)
def test_harmony_is_set_by_names_as_on_the_command_line(names):
    settings = Instrument(PIANO).set(harmony=names)
    weights = settings["harmony"]
    assert [i for i, weight in enumerate(weights) if weight == 1.0] == [0, 4, 7]
    assert sum(weights) == 3.0


@pytest.mark.parametrize("free", ["free", "", []])
def test_harmony_is_freed_by_a_word(free):
    instrument = Instrument(PIANO, harmony="F# Bb")
    assert instrument.settings["harmony/f_sharp"] == instrument.settings["harmony/a_sharp"] == 1.0
    assert instrument.set(harmony=free)["harmony"] == "free"


@pytest.mark.parametrize("names", ["H", "C4", "C E X", "harmony", 5, None, [None], b"C"])
def test_what_is_no_name_of_a_note_is_refused(names):
    with pytest.raises(ConfigError, match=r"pack/harmony: .*(such as .*C.E.G|names of notes)"):
        Instrument(PIANO, harmony=names)


def test_a_control_of_a_wrong_name_is_refused_with_the_nearest():
    instrument = Instrument(TINY)
    with pytest.raises(ConfigError, match=r"^'temprature' is not a control; did you mean temp"):
        instrument.set(temprature=1.0)
    with pytest.raises(ConfigError, match=r"^'xyz' is not a control; there are gain, pause"):
        instrument.set(xyz=1.0)
    with pytest.raises(ConfigError, match=r"did you mean gain"):
        instrument.settings["gian"]


def test_settings_show_only_what_is_not_at_its_default():
    assert repr(Settings.defaults(ENGINE_TABLE)) == "Settings()"
    assert (
        repr(Settings.defaults(ENGINE_TABLE, seed=7, temperature=0.9))
        == "Settings(temperature=0.9, seed=7)"
    )
    assert len(repr(Instrument(PIANO).set(harmony="C E G"))) < 100


def test_numbers_of_numpy_are_numbers():
    instrument = Instrument(TINY)
    settings = instrument.set(
        gain=np.float32(-6), seed=np.int64(5), pause=np.bool_(True), temperature=np.array(0.5)
    )
    assert [settings[n] for n in ("gain", "seed", "pause", "temperature")] == [-6.0, 5, True, 0.5]
    assert type(settings["seed"]) is int


def test_an_instrument_takes_a_pack_that_was_opened():
    assert Instrument(Pack.open(TINY)).manifest.name == "tiny"


@pytest.mark.parametrize(("text", "seconds"), [("jam", 0.9), ("default", 2.9), ("1.5", 1.5)])
def test_latency_takes_the_names_of_the_command_line(text, seconds):
    assert Instrument(PIANO, latency=text)._latency == seconds


def test_any_value_is_shown_in_a_few_characters_of_one_line():
    for value in ODD:
        assert "\n" not in shown(value)
        assert len(shown(value)) < 300
