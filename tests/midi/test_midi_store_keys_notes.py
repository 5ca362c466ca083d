"""Mappings in a file, held keys, the notes that go out, and programs: each for itself."""

from __future__ import annotations

import itertools
from pathlib import Path

import mido
import pytest
from control_tables import SHIPPED_TABLE
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import StorageError
from engine.notes.note import NoteEvent
from midi import store
from midi.controllers import share
from midi.keys import HeldKeys
from midi.mapping import ACTIONS, KINDS, Mapping, Source
from midi.note_output import NoteOutput
from midi.ports import fitting, plain
from midi.programs import of_program
from midi.relative import MODES

# ---------------------------------------------------------------------- the file

sources = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.builds(
        Source, st.just(kind), st.integers(0, KINDS[kind]), st.integers(0, 16)
    )
)  # fmt: skip
mappings = st.one_of(
    st.builds(Mapping, st.sampled_from(ACTIONS), sources, st.floats(0, 1), st.floats(0, 1)),
    st.builds(
        Mapping, st.sampled_from([p.name for p in SHIPPED_TABLE]), sources,
        st.floats(0, 1), st.floats(0, 1), st.sampled_from(MODES),
    ),
)  # fmt: skip


@given(st.lists(mappings, max_size=8), st.booleans())
def test_what_is_written_is_read(tmp_path_factory, listed: list[Mapping], takeover: bool) -> None:
    path = tmp_path_factory.mktemp("midi") / store.FILE
    kept = store.Kept(tuple(listed), takeover)
    store.write(path, kept)
    assert store.read(path) == kept


def test_targets_of_an_earlier_version_are_read_as_they_are_called_today(tmp_path: Path) -> None:
    path = tmp_path / store.FILE
    names = ("harmony_c_sharp", "density", "lock_gain", "gain", "pack/anything", "play")
    path.write_text("".join(f'[[mapping]]\ntarget = "{n}"\nkind = "cc"\n' for n in names))
    assert [m.target for m in store.read(path).mappings] == [
        "pack/harmony/c_sharp", "pack/density", "lock/gain", "gain", "pack/anything", "play",
    ]  # fmt: skip


def test_no_file_is_no_mappings_and_takeover(tmp_path: Path) -> None:
    assert store.read(tmp_path / "none.toml") == store.Kept((), True)


def test_a_file_by_hand_needs_no_more_than_it_means(tmp_path: Path) -> None:
    path = tmp_path / store.FILE
    path.write_text('[[mapping]]\ntarget = "gain"\nkind = "cc"\nnumber = 7\n')
    assert store.read(path).mappings == (Mapping("gain", Source("cc", 7, 0)),)


def test_a_file_of_an_earlier_version_and_one_with_a_byte_order_mark_are_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / store.FILE
    earlier = (
        'takeover = false\n\n[[mapping]]\ntarget = "gain"\nkind = "cc14"\nnumber = 6\n'
        'channel = 1\nlow = 0.0\nhigh = 1.0\n\n[[mapping]]\ntarget = "panic"\nkind = "note"\n'
        'number = 36\nchannel = "any"\nlow = 0.0\nhigh = 1.0\n'
    )
    kept = store.Kept(
        (Mapping("gain", Source("cc14", 6, 1)), Mapping("panic", Source("note", 36))), False
    )
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text(earlier, encoding=encoding)
        assert store.read(path) == kept


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["unix", "windows"])
def test_a_file_of_any_editor_is_read(tmp_path: Path, mark: bytes, end: bytes) -> None:
    path = tmp_path / store.FILE
    path.write_bytes(
        mark + end.join([b"[[mapping]]", b'target = "gain"', b'kind = "cc"', b"number = 7", b""])
    )
    assert store.read(path).mappings == (Mapping("gain", Source("cc", 7, 0)),)


def test_a_file_in_utf_16_is_one_line_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / store.FILE
    path.write_text("takeover = true", encoding="utf-16")
    with pytest.raises(StorageError, match="it is saved as UTF-16; save it as UTF-8"):
        store.read(path)


def test_a_file_that_was_put_aside_before_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / store.FILE
    for text in ("first [", "second ["):
        path.write_text(text)
        store.write(path, store.Kept())
    assert (tmp_path / "midi.toml.damaged").read_text() == "first ["
    assert (tmp_path / "midi.toml.damaged-2").read_text() == "second ["


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mapping = [", "Invalid"),
        ("takeover = 3", "takeover is 3"),
        ('[[mapping]]\ntarget = "volume"\nkind = "cc"', "'volume' is neither a control"),
        ('[[mapping]]\ntarget = "gain"\nkind = "knob"', "kind is 'knob'; use one of cc, cc14"),
        ('[[mapping]]\ntarget = "gain"\nkind = "cc"\nnumber = 120', "number is 120; use 0 to 119"),
        ('[[mapping]]\ntarget = "gain"\nkind = "cc14"\nnumber = 32', "use 0 to 31"),
        ('[[mapping]]\ntarget = "gain"\nkind = "cc"\nchannel = 17', "channel is 17; use 1 to 16"),
        ('[[mapping]]\ntarget = "gain"\nkind = "cc"\nlow = nan', "low is nan; use 0 to 1"),
        ('[[mapping]]\ntarget = "gain"\nkind = "cc"\ncolour = 1', "unknown fields"),
        ('[[mapping]]\ntarget = "gain"\nkind = "nrpn"\nnumber = 16383', "use 0 to 16382"),
        ('[[mapping]]\ntarget = "gain"\nkind = "cc"\nmode = "left"', "mode 'left' is unknown"),
        (
            '[[mapping]]\ntarget = "play"\nkind = "cc"\nmode = "signed-bit"',
            "use the mode absolute",
        ),
        ("mapping = 3", "tables"),
        ("\x00", "Invalid"),
        ("# " + "x" * 300_000, "larger than"),
    ],
)
def test_a_damaged_file_is_one_line_that_says_where(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / store.FILE
    path.write_text(text)
    with pytest.raises(StorageError, match="cannot be read") as problem:
        store.read(path)
    assert told in str(problem.value)
    assert "\n" not in str(problem.value)
    store.write(path, store.Kept((Mapping("gain", Source("cc", 1, 1)),)))
    assert len(store.read(path).mappings) == 1
    assert (tmp_path / "midi.toml.damaged").read_text() == text  # nothing by hand is lost


# ---------------------------------------------------------------------- values and names


@pytest.mark.parametrize("bits", [7, 14])
def test_ends_and_middle_are_exact_and_the_way_between_rises(bits: int) -> None:
    top = (1 << bits) - 1
    assert (share(0, bits), share((top + 1) // 2, bits), share(top, bits)) == (0.0, 0.5, 1.0)
    places = [share(v, bits) for v in range(top + 1)]
    assert all(a < b for a, b in itertools.pairwise(places))


def test_ports_are_found_by_name_or_a_part_and_never_attaccas_own() -> None:
    names = ["Attacca out:Attacca 128:0", "Midi Through:Midi Through Port-0 14:0",
             "nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0", "Keystation:Keystation MIDI 1 24:0",
             "Keystation:Keystation MIDI 2 24:1"]  # fmt: skip
    assert fitting(names, "all") == names[2:]
    assert fitting(names, "nano") == [names[2]]
    assert fitting(names, "KEYSTATION") == names[3:]
    assert fitting(names, "keystation:keystation midi 2") == [names[4]]
    assert fitting(names, "attacca") == fitting(names, "piano") == []
    assert fitting(names, "through") == [names[1]]  # asked for by name
    assert plain(names[2]) == plain("nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0")


def test_a_program_is_the_preset_of_that_number() -> None:
    names = ["1 verse", "10", "2", "2 chorus", "02 other", "verse 3", "²", "4verse"]
    assert of_program(names, 1) == "1 verse"
    assert of_program(names, 2) == "2"
    assert of_program(names, 10) == "10"
    assert of_program(names, 3) == of_program(names, 4) == of_program([], 1) == ""


# ---------------------------------------------------------------------- keys


def on(pitch: int, velocity: int = 80, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)


def off(pitch: int, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, channel=channel)


def cc(control: int, value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=control, value=value, channel=channel)


def test_keys_are_held_by_finger_and_by_pedal() -> None:
    keys = HeldKeys()
    for message in (on(64), on(60), on(64, channel=3), off(64)):
        keys.take("a", message)
    assert keys.held == (60, 64)
    for message in (cc(64, 127), off(60), on(67), off(67)):
        keys.take("a", message)
    assert keys.held == (60, 64, 67)
    keys.take("a", on(67))  # struck again and held when the pedal comes up
    keys.take("a", cc(64, 0))
    assert keys.held == (64, 67)
    keys.take("a", on(67, 0))  # velocity 0 is up
    keys.take("b", off(64, channel=3))  # another keyboard's
    assert keys.held == (64,)
    keys.take("a", off(64, channel=3))
    assert keys.held == ()


def test_what_is_on_no_piano_is_ignored() -> None:
    keys = HeldKeys()
    for pitch in (0, 20, 109, 127):
        keys.take("a", on(pitch))
    assert keys.held == ()
    keys.take("a", on(21))
    keys.take("a", on(108))
    assert keys.held == (21, 108)


@pytest.mark.parametrize("control", [120, 123, 124, 127])
def test_all_notes_off_lets_go_what_fingers_and_pedal_hold(control: int) -> None:
    keys = HeldKeys()
    for message in (cc(64, 127), on(60), off(60), on(62), on(65, channel=1), cc(control, 0)):
        keys.take("a", message)
    assert keys.held == (65,)  # of the other channel
    keys.forget("b")
    assert keys.held == (65,)
    keys.forget("a")
    assert keys.held == ()


@given(st.lists(st.one_of(
    st.builds(on, st.integers(20, 30), st.integers(0, 1)), st.builds(off, st.integers(20, 30)),
    st.builds(cc, st.just(64), st.sampled_from([0, 127])),
)))  # fmt: skip
def test_without_fingers_and_pedal_nothing_is_held(messages: list[mido.Message]) -> None:
    keys = HeldKeys()
    for message in messages:
        keys.take("a", message)
    for pitch in range(128):
        keys.take("a", off(pitch))
    keys.take("a", cc(64, 0))
    assert keys.held == ()


# ---------------------------------------------------------------------- notes out


class Clock:
    def __init__(self) -> None:
        self.now = 50.0


def told(messages: list[mido.Message]) -> list[tuple[str, int]]:
    return [(m.type, m.note) for m in messages if m.type != "control_change"]


def test_notes_go_out_when_they_are_audible_timed_by_their_own_clock() -> None:
    clock = Clock()
    notes = NoteOutput(lambda: clock.now, lambda: 0.05)
    notes.note(NoteEvent(1.0, 60, 90))
    notes.note(NoteEvent(1.002, 64, 90))  # told in the same period of the mixer, 2 ms later
    assert notes.due() == []
    assert notes.next_due == pytest.approx(50.05)
    clock.now = 50.0501
    assert told(notes.due()) == [("note_on", 60)]
    clock.now = 50.0521
    assert told(notes.due()) == [("note_on", 64)]
    # Told 2 ms late, and not heard later: the same distance as between their own times.
    clock.now = 50.102
    notes.note(NoteEvent(1.1, 60, 0))
    assert notes.next_due == pytest.approx(50.15, abs=0.0005)
    # A gap of the output moves everything: the clock is set anew.
    clock.now = 60.0
    notes.note(NoteEvent(2.0, 64, 0))
    notes.due()
    assert notes.next_due == pytest.approx(60.05)


@given(st.lists(st.tuples(st.integers(60, 64), st.integers(0, 2)), max_size=60))
def test_every_key_that_goes_down_comes_up(events: list[tuple[int, int]]) -> None:
    clock = Clock()
    notes = NoteOutput(lambda: clock.now, lambda: 0.0)
    sent = []
    for i, (pitch, velocity) in enumerate(events):
        notes.note(NoteEvent(i * 0.01, pitch, velocity))
        clock.now += 0.01
        sent += notes.due()
    sent += notes.all_notes_off()
    down: set[int] = set()
    for message in sent:
        if message.type == "note_on":
            assert message.note not in down
            down.add(message.note)
        elif message.type == "note_off":
            assert message.note in down
            down.discard(message.note)
    assert not down


def test_let_go_drops_what_waits() -> None:
    clock = Clock()
    notes = NoteOutput(lambda: clock.now, lambda: 0.05)
    notes.note(NoteEvent(0.0, 60, 90))
    clock.now += 0.06
    assert told(notes.due()) == [("note_on", 60)]
    notes.note(NoteEvent(0.06, 62, 90))
    assert told(notes.all_notes_off()) == [("note_off", 60)]
    clock.now += 1
    assert notes.due() == []
