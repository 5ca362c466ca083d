"""Transport, presets, undo, recording and streams over OSC, beside an instrument that plays."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest
import soundfile
from osc_program import Program, build

from engine.controls.bus import KEYBOARD, MIDI
from engine.controls.history import PAUSE
from engine.instrument import Instrument
from engine.notes.midi_file import read_midi
from engine.notes.note import Note
from osc.server import OscServer

PIANO = Path(__file__).parents[2] / "packs" / "piano"


def wait_until(true, timeout=10.0):
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_play_and_stop_are_the_pause_control_and_ignore_a_release(program, instrument):
    one = program()
    one.send("/subscribe", "/pause")
    one.send("/stop", 1)
    assert one.wait("/pause") == ("/pause", 1)
    one.send("/play", 0)
    assert one.listen(0.2) == []
    assert instrument.settings["pause"] is True
    one.send("/play")
    assert one.wait("/pause") == ("/pause", 0)


def test_ping_and_status(program, instrument):
    one = program()
    _address, name, version, uptime = one.ask("/ping", answer="/pong")
    assert (name, version) == ("attacca", "1.2.3")
    assert 0 <= uptime < 60
    one.send("/status")
    one.wait("/status/osc/faults")
    got = {m[0].removeprefix("/status/"): m[1] for m in one.heard}
    assert got["pack"] == instrument.manifest.name
    assert (got["device"], got["xruns"], got["restarts"]) == ("none", 0, 0)
    assert got["latency/block"] > got["latency/live"] >= 0
    assert got["steps"] >= 1
    assert got["lead"] > 0


def test_panic_and_reset_begin_a_new_piece_and_reset_plays_the_lead_out(program, instrument):
    one = program()
    one.send("/events", 1)
    lead = instrument.status().lead.seconds
    one.send("/reset", 0)
    one.send("/reset", 1)
    one.ask("/ping", answer="/pong")
    assert instrument.status().lead.seconds > lead - 0.4  # still there
    gaps = instrument.status().lead.gaps
    other = program()
    other.send("/subscribe", "/pause")
    one.send_at(time.time() + 0.5, build("/pause", 0))
    one.send("/panic", 1)
    assert one.wait("/event")[1] == "panic"
    assert other.wait("/pause") == ("/pause", 1)
    wait_until(lambda: instrument.status().lead.seconds > 0.3)
    time.sleep(0.6)
    assert one.ask("/pause") == ("/pause", 1), "a message scheduled before it starts nothing"
    one.send("/play", 1)
    assert other.wait("/pause") == ("/pause", 0)
    assert instrument.status().lead.gaps == gaps


def test_subscribers_learn_what_midi_and_the_keyboard_change_while_osc_changes_something_else(
    program, instrument
):
    one, other = program(), program()
    other.send("/subscribe", "/gain")
    other.send("/subscribe", "/temperature")
    other.ask("/ping", answer="/pong")
    for i in range(100):
        gain, both = -1.0 - i / 8, threading.Barrier(2)

        def turn(gain=gain, both=both) -> None:
            both.wait()
            instrument.controls.set({"gain": gain}, MIDI if gain % 2 else KEYBOARD)

        knob = threading.Thread(target=turn)
        knob.start()
        both.wait()
        one.send("/temperature", 0.625 + i / 256)
        missing = {("/gain", gain), ("/temperature", 0.625 + i / 256)}
        wait_until(
            lambda missing=missing: (
                not missing.difference_update(other.listen(0.005)) and not missing
            )
        )
        knob.join()


def test_subscribers_learn_of_a_knob_that_moves_in_the_middle_of_an_osc_change(
    program, instrument, monkeypatch
):
    one, other = program(), program()
    other.send("/subscribe", "/gain")
    other.ask("/ping", answer="/pong")
    plain = instrument.controls.set

    def knob_first(values, origin, **options):
        monkeypatch.undo()
        plain({"gain": -7.0}, MIDI)
        return plain(values, origin, **options)

    monkeypatch.setattr(instrument.controls, "set", knob_first)
    one.send("/temperature", 0.625)
    assert other.wait("/gain") == ("/gain", -7.0)


def test_a_recall_and_an_undo_leave_the_transport_and_locked_controls_alone(program, instrument):
    one = program()
    one.ask("/gain", -6.0)
    one.send("/preset/save", "quiet")
    one.wait("/done")
    one.ask("/gain", 0.0)
    one.ask("/lock/gain", 1)
    one.ask("/temperature", 0.7)
    one.send("/stop", 1)
    one.send("/preset/recall", "quiet")
    assert one.wait("/done")[1] == "/preset/recall"
    assert (one.ask("/gain"), one.ask("/pause")) == (("/gain", 0.0), ("/pause", 1))
    one.send("/play", 1)
    one.send("/undo", 1)
    assert (one.ask("/gain"), one.ask("/pause")) == (("/gain", 0.0), ("/pause", 0))
    one.ask("/lock/gain", 0)
    one.send("/preset/recall", "quiet")
    one.wait("/done")
    assert one.ask("/gain") == ("/gain", -6.0)


def test_presets_are_kept_listed_recalled_and_forgotten(program, instrument, tmp_path):
    one, other = program(), program()
    one.ask("/gain", -6.0)
    one.ask("/sampler", "heun")
    one.send("/preset/save", "Verse 1")
    assert one.wait("/done") == ("/done", "/preset/save", "Verse 1")
    assert (tmp_path / "library" / "presets" / "Verse 1.json").is_file()
    one.ask("/gain", 2.0)
    one.ask("/sampler", "ddim")
    other.send("/subscribe")
    other.ask("/ping", answer="/pong")
    one.send("/preset/recall", "Verse 1")
    assert other.wait("/gain") == ("/gain", -6.0)
    assert one.wait("/done") == ("/done", "/preset/recall", "Verse 1")
    assert (instrument.settings["gain"], instrument.settings["sampler"]) == (-6.0, "heun")
    one.send("/preset/save", 7)  # as a pad would number it
    one.wait("/done")
    assert one.ask("/preset/list") == ("/preset/list", "7", "Verse 1")
    one.send("/preset/delete", "7")
    one.wait("/done")
    assert one.ask("/preset/list") == ("/preset/list", "Verse 1")
    one.send("/preset/recall", "7")
    assert "there is no '7'" in one.wait("/error")[3]


@pytest.mark.parametrize("name", [
    "../escape", "a/b", "..", ".hidden", "", "c:\\x", "con", "NUL.txt", "x" * 65, "a\nb", "a\0b",
    "tail ", "/etc/passwd", "~root",
])  # fmt: skip
def test_no_name_leads_out_of_the_library(program, tmp_path, name):
    one = program()
    before = sorted(tmp_path.rglob("*"))
    for address in ("/preset/save", "/record"):
        if "\0" in name:
            continue
        one.send(address, name)
        assert one.wait("/error")[1:3] == (address, "value")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", [
    "", "{", "[]", '{"format": 2, "controls": {}}',
    '{"format": 1, "controls": 5}', "[" * 5000, "\udcff",
])  # fmt: skip
def test_a_damaged_preset_is_refused_and_changes_nothing(program, instrument, tmp_path, text):
    folder = tmp_path / "library" / "presets"
    folder.mkdir(parents=True)
    (folder / "old.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    before = instrument.settings
    one = program()
    one.send("/preset/recall", "old")
    error = one.wait("/error")
    assert error[1:3] == ("/preset/recall", "storage")
    assert "cannot be read" in error[3]
    assert instrument.settings is before


def test_controls_of_other_packs_and_versions_are_left_out_of_a_recall(
    program, instrument, tmp_path
):
    folder = tmp_path / "library" / "presets"
    folder.mkdir(parents=True)
    (folder / "other.json").write_text(
        '{"format": 1, "pack": "x", "controls": {"gain": 99, "harmony_c": 1, "wobble": 3}}'
    )
    one = program()
    one.send("/preset/recall", "other")
    one.wait("/done")
    assert instrument.settings["gain"] == 12.0
    assert "harmony" not in instrument.settings.table


def test_undo_takes_back_gestures_and_redo_does_them_again(program, instrument):
    one, other = program(), program()
    other.send("/subscribe", "/{gain,seed}")
    other.ask("/ping", answer="/pong")
    for gain in range(1, 9):  # one movement of a fader
        one.send("/gain", float(gain))
    one.send("/seed", 42)
    one.wait("/seed")
    one.send("/undo", 1)
    assert other.wait("/seed", lambda m: m[1] != 42) == ("/seed", 1)
    one.send("/undo", 0)
    one.send("/undo", 1)
    assert other.wait("/gain", lambda m: m[1] == 0) == ("/gain", 0.0)
    one.send("/redo", 1)
    assert other.wait("/gain") == ("/gain", 8.0)
    time.sleep(PAUSE)
    one.send("/gain", 9.0)
    other.wait("/gain", lambda m: m[1] == 9)
    one.send("/redo", 1)
    assert one.wait("/error")[1] == "/redo"
    one.send("/undo", 1)
    assert other.wait("/gain") == ("/gain", 8.0)


def test_undo_goes_back_through_the_gestures_of_all_interfaces(program, instrument):
    one = program()
    one.ask("/gain", 3.0)
    instrument.set(temperature=0.7)
    one.send("/undo", 1)
    wait_until(lambda: instrument.settings["temperature"] == 1.0)
    assert instrument.settings["gain"] == 3.0
    one.send("/undo", 1)
    wait_until(lambda: instrument.settings["gain"] == 0.0)


def test_a_recording_goes_into_the_library_and_is_published_when_it_is_done(
    program, instrument, tmp_path
):
    one = program()
    assert one.ask("/record") == ("/record", "")
    one.send("/record", "take one")
    _, _, path = one.wait("/done")
    assert Path(path) == tmp_path / "library" / "recordings" / "take one.flac"
    assert one.ask("/record") == ("/record", path)
    time.sleep(0.5)
    one.send("/record", 0)
    assert one.wait("/done") == ("/done", "/record", "")
    sound, rate = soundfile.read(path)
    assert len(sound) / rate > 0.4
    one.send("/record", "take one")
    assert "already" in one.wait("/error")[3]
    one.send("/record", 1)
    fresh = Path(one.wait("/done")[2])
    assert fresh.name.startswith("attacca-")
    assert fresh.parent.name == "recordings"
    one.send("/record", 0.0)
    one.wait("/done")


def test_two_recordings_and_the_last_seconds_within_a_moment_are_three_files(program, tmp_path):
    one = program()
    time.sleep(0.3)
    paths = set()
    for address, value in (("/record", 1), ("/record", 1), ("/record/keep", 0.2)):
        one.send(address, value)
        path = Path(one.wait("/done")[2])
        assert re.fullmatch(r"attacca-\d{8}-\d{6}-seed\d+(-\d)?\.flac", path.name)
        paths.add(path)
        time.sleep(0.15)
    one.send("/record", 0)
    one.wait("/done")
    assert len(paths) == 3
    assert all(soundfile.info(path).frames for path in paths)


def test_a_name_that_is_taken_leaves_the_recording_that_runs_alone(program, instrument, tmp_path):
    one = program()
    folder = tmp_path / "library" / "recordings"
    folder.mkdir(parents=True)
    (folder / "old.flac").write_bytes(b"music")
    one.send("/record", "new")
    path = one.wait("/done")[2]
    one.send("/record", "old")
    assert one.wait("/error")[1:3] == ("/record", "value")
    assert one.ask("/record") == ("/record", path)
    one.send("/record", 0)
    one.wait("/done")
    assert (folder / "old.flac").read_bytes() == b"music"


@pytest.mark.parametrize(("address", "value"), [("/record", 1), ("/record/keep", 0.2)])
def test_a_recordings_folder_that_cannot_be_created_is_one_line_with_the_path(
    program, tmp_path, address, value
):
    folder = tmp_path / "library" / "recordings"
    folder.parent.mkdir()
    folder.write_bytes(b"a file where the folder should be")
    one = program()
    time.sleep(0.3)
    one.send(address, value)
    error = one.wait("/error")
    assert error[1:3] == (address, "storage")
    assert f"cannot create the folder {str(folder)!r}" in error[3]
    assert "\n" not in error[3]


def test_a_recording_that_the_disk_ends_is_shown_as_ended(program, instrument, small_disk):
    one = program()
    one.send("/events", 1)
    one.ask("/ping", answer="/pong")
    (small_disk / "filling").write_bytes(bytes(800_000))
    instrument.record(small_disk / "take.wav")
    told = one.wait("/event", lambda m: m[1] == "recording" and "stopped" in m[2], 10)
    assert told[2].startswith("Recording stopped: the disk is full. take.wav holds 0:0")
    assert one.ask("/record") == ("/record", "")
    one.send("/status")
    figures = {t[0]: t[1] for t in one.listen(0.5)}
    assert figures["/status/recording"] == ""
    assert figures["/status/recording/problem"] == told[2]
    assert instrument.status().recording is None
    one.send("/record", 1)
    one.wait("/done")
    one.send("/record", 0)
    one.wait("/done")
    assert instrument.status().take.problem == ""


def test_a_preset_is_found_whichever_way_its_letters_are_written(program, instrument, tmp_path):
    one = program()
    one.ask("/gain", -6.0)
    one.send("/preset/save", "E\u0301te\u0301")  # as macOS writes it
    assert one.wait("/done") == ("/done", "/preset/save", "\u00c9t\u00e9")
    one.ask("/gain", 2.0)
    one.send("/preset/recall", "\u00c9t\u00e9")
    one.wait("/done")
    assert instrument.settings["gain"] == -6.0
    assert one.ask("/preset/list") == ("/preset/list", "\u00c9t\u00e9")


def test_streams_come_at_their_rate_and_only_to_subscribers(program):
    one, two = program(), program()
    two.ask("/ping", answer="/pong")
    one.send("/meters", 20)
    one.send("/lead", 10.0)
    got = one.listen(1.5)
    meters = [m for m in got if m[0] == "/meters"]
    leads = [m for m in got if m[0] == "/lead"]
    assert 20 <= len(meters) <= 34
    assert 10 <= len(leads) <= 17
    assert all(-90 <= db <= 20 for m in meters for db in m[1:6] + m[7:])
    assert any(m[1] > -80 for m in meters)
    assert all(len(m) == 9 and isinstance(m[6], int) for m in meters)
    assert all(held >= now for m in meters for held, now in ((m[7], m[1]), (m[8], m[2])))
    assert all(0 <= m[1] < 3 for m in leads)
    assert two.listen(0.1) == []
    one.send("/meters", 0)
    one.send("/lead", 0)
    one.ask("/ping", answer="/pong")
    assert one.listen(0.3) == []


def test_streams_go_to_the_requested_port(program):
    asker, receiver = program(), program()
    asker.send("/lead", 20, receiver.port)
    receiver.wait("/lead")
    assert asker.listen(0.2) == []


@pytest.mark.slow
def test_held_keys_and_harmony_reach_a_pack_that_has_them_and_notes_come_back(tmp_path):
    with Instrument(PIANO, latency=1.0, threads=1, steps=4) as piano:
        piano.play(None, phrase=[Note(60, 80, i * 0.25, i * 0.25 + 0.2) for i in range(8)])
        piano.wait_for_sound()
        with OscServer(piano, port=0, library=tmp_path) as server:
            one = Program(server.port)
            one.send("/notes", 1)
            pitch, velocity = one.wait("/note", timeout=20)[1:]
            assert 21 <= pitch <= 108
            assert 0 <= velocity <= 127
            assert one.ask("/pack/held", 40, 43) == ("/pack/held", 40, 43)
            one.wait("/note", lambda m: m[1] == 40 and m[2] > 0, timeout=20)
            assert one.ask("/pack/held") == ("/pack/held", 40, 43)
            assert one.ask("/pack/held", 0) == ("/pack/held", 0)
            one.send("/pack/held", 3)
            assert "enter keys from 21 to 108" in one.wait("/error")[3]
            assert one.ask("/pack/harmony/c_sharp", 1) == ("/pack/harmony/c_sharp", 1.0)
            assert one.ask("/pack/density", "free") == ("/pack/density", "free")
            one.close()


@pytest.mark.slow
def test_a_new_piece_lets_every_key_come_up_and_leaves_no_click(tmp_path):
    with Instrument(PIANO, latency=1.0, threads=1, steps=4, seed=3) as piano:
        piano.play(None, phrase=[Note(50, 90, 0.0, 4.0), Note(57, 90, 0.1, 4.0)])
        piano.wait_for_sound()
        piano.record(tmp_path / "take.wav")
        time.sleep(0.6)
        piano.new_piece()
        time.sleep(4.0)
        piano.record(None)
    notes = read_midi(tmp_path / "take.mid")
    ends = [n.end for n in notes if n.pitch in (50, 57) and n.start < 0.5]
    assert ends
    assert max(ends) <= 2.6
    sound, _ = soundfile.read(tmp_path / "take.wav")
    steps = abs(sound[1:, 0] - sound[:-1, 0])
    assert steps.max() < 0.5
