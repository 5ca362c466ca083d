"""MIDI through real ports: JACK's, between this process's desk and clients beside it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import mido
import pytest
from midi_clients import Device, Listener, rtmidi, until

from engine.instrument import Instrument
from engine.presets import Presets
from engine.status import Event
from midi.backend import open_backend
from midi.desk import MidiDesk
from midi.mapping import Mapping, Source

pytestmark = pytest.mark.sound
TESTS = Path(__file__).parents[1]
TINY, PIANO = TESTS / "data" / "packs" / "tiny", TESTS.parent / "packs" / "piano"


@pytest.fixture
def tiny() -> Iterator[Instrument]:
    with Instrument(TINY, latency=1.0, threads=1) as made:
        made.play(None)
        made.wait_for_sound()
        yield made


def test_a_device_is_learnt_pulled_out_put_back_and_no_client_is_leaked(
    jack, tiny, tmp_path
) -> None:
    said: list[str] = []
    tiny.listen(lambda e: said.append(e.text) if e.kind == "midi" else None)
    nano = Device("nanoKONTROL")
    with MidiDesk(tiny, folder=tmp_path, inputs=["kontrol"]) as desk:
        until(lambda: any(p.taken and "nano" in p.name for p in desk.ports), "it is listened to")
        clients = jack.ports()
        desk.arm("gain")
        until(lambda: desk.figures.learning == "gain", "armed")
        nano.send("control_change", control=7, value=100)
        until(lambda: desk.mappings, "learned")
        assert desk.mappings == (Mapping("gain", Source("cc", 7, 1)),)
        desk.set_takeover(False)
        until(lambda: not desk.figures.takeover, "takeover is off")
        nano.send("control_change", control=7, value=0)
        until(lambda: tiny.settings["gain"] == -60.0, "the knob is heard")
        nano.unplug()
        until(lambda: any("has disappeared" in s for s in said), "its absence is said")
        nano = Device("nanoKONTROL")
        until(lambda: sum("listening to nano" in s for s in said) == 2, "it is taken again")
        nano.send("control_change", control=7, value=127)
        until(lambda: tiny.settings["gain"] == 12.0, "the knob is heard again")
        time.sleep(2.2)  # two looks at the ports
        assert jack.ports() == clients
    assert "Attacca" not in jack.ports()
    assert (tmp_path / "midi.toml").is_file()
    with MidiDesk(tiny, folder=tmp_path) as again:  # another performance knows what was learned
        assert again.mappings == (Mapping("gain", Source("cc", 7, 1)),)
        assert again.figures.takeover is False
    nano.unplug()


def test_attaccas_own_port_takes_programs_clocks_and_keys_that_are_unused(
    jack, tiny, tmp_path
) -> None:
    events: list[Event] = []
    tiny.listen(events.append)
    clock: list[tuple[mido.Message, float]] = []
    Presets(tmp_path / "presets").save("5 loud", {"gain": 3.0, "temperature": 0.7}, "tiny")

    def said() -> list[str]:
        return [e.text for e in events if e.kind == "midi"]

    with MidiDesk(tiny, folder=tmp_path, realtime=lambda m, t: clock.append((m, t))) as desk:
        daw = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "DAW")
        ports = daw.get_ports()
        daw.open_port(ports.index("Attacca:Attacca"), "out")
        daw.send_message([0xC3, 4])  # program 5
        until(lambda: tiny.settings["gain"] == 3.0, "the preset is recalled")
        until(lambda: tiny.settings["temperature"] == 0.7, "all of it")
        daw.send_message([0xC3, 99])
        until(lambda: any("program 100" in s for s in said()), "there is none: said")
        before = time.monotonic()
        for byte in ([0xFA], [0xF8], [0xF8], [0xFC], [0xF2, 4, 1], [0xFB]):
            daw.send_message(byte)
        until(lambda: len(clock) == 6, "realtime messages are handed on")
        kinds = [m.type for m, _ in clock]
        assert kinds == ["start", "clock", "clock", "stop", "songpos", "continue"]
        assert all(before <= t <= time.monotonic() for _, t in clock)
        for pitch in (60, 64, 67):
            daw.send_message([0x90, pitch, 80])
        until(lambda: any("does not use held keys" in s for s in said()), "unused keys are said")
        daw.send_message([0x80, 60, 0])
        daw.send_message([0x91])  # what is no message at all
        daw.send_message([0xC3, 4])
        until(lambda: sum("'5 loud'" in s for s in said()) == 2, "it goes on")
        assert sum("no effect" in s for s in said()) == 1
        assert desk.figures.faults == 0
        daw.close_port()
        daw.delete()


def test_what_is_over_the_queue_is_dropped_and_counted(tiny, tmp_path) -> None:
    desk = MidiDesk(tiny, folder=tmp_path)
    for i in range(5000):  # as the library's threads would, while the desk is held up
        desk._take("flood", [0xB0, 7, i % 128], time.monotonic())
    assert desk.figures.dropped == 5000 - 4096


@pytest.fixture(scope="module")
def piano() -> Iterator[Instrument]:
    with Instrument(PIANO, latency=1.0, steps=4, threads=1, density=12.0) as made:
        made.play(None)
        made.wait_for_sound()
        yield made


@pytest.mark.alone
def test_held_keys_reach_the_music_and_its_notes_come_out_in_time(jack, piano, tmp_path) -> None:
    held: list[tuple[int, ...]] = []
    original = piano.hold
    piano.hold = lambda keys, origin: (held.append(tuple(keys)), original(keys, origin))
    heard: list[float] = []
    piano.listen_notes(lambda n: heard.append(time.monotonic()) if n.velocity else None)
    keys, panel = Device("keys"), Listener("module")
    with MidiDesk(piano, folder=tmp_path, inputs=["keys"], output="module") as desk:
        until(lambda: sum(p.taken for p in desk.ports) == 2, "both are taken")
        for pitch in (50, 57, 20):
            keys.send("note_on", note=pitch, velocity=70)
        until(lambda: held and held[-1] == (50, 57), "the keys are held")
        keys.send("control_change", control=64, value=127)
        keys.send("note_off", note=50)
        keys.send("control_change", control=64, value=0)
        until(lambda: held[-1] == (57,), "pedal and finger are up")
        until(lambda: sum(m.type == "note_on" for m in panel.notes()) > 8, "notes come", 40)
        live = piano.latencies().live
        ons = [t for t, m in panel.heard if m.type == "note_on"]
        late = [min(abs(t - h - live) for h in heard) for t in ons]
        assert sorted(late)[len(late) // 2] < 0.03
        piano.panic()
        until(lambda: held[-1] == (), "panic lets the keys go")
        until(lambda: any(m.type == "control_change" for _, m in panel.heard), "and the notes")
        assert panel.sounding() == set()
        piano.set(pause=False)  # panic stays silent until play
        keys.send("note_on", note=50, velocity=70)
        until(lambda: held[-1] == (50,), "it goes on")
        keys.unplug()
        until(lambda: held[-1] == (), "a port that vanishes lets go")
        until(lambda: panel.sounding(), "notes go on", 40)
    until(lambda: not panel.sounding(), "the end lets all notes go")
    assert len(panel.heard) == desk.figures.sent
    sent = panel.notes()
    assert sum(m.type == "note_on" for m in sent) == sum(m.type == "note_off" for m in sent)
    panel.close()


def test_the_notes_go_to_whoever_connects_to_attaccas_own_port(jack, piano, tmp_path) -> None:
    with MidiDesk(piano, folder=tmp_path) as desk:
        panel = Listener("daw", to="Attacca out")
        until(lambda: any(m.type == "note_on" for m in panel.notes()), "notes come", 40)
        until(lambda: desk.ports, "others' ports are seen")
        assert {p.name: p.taken for p in desk.ports} == {"daw:port": False}  # no port of its own
        assert desk.figures.sent > 0
    until(lambda: not panel.sounding(), "the end lets all notes go")
    panel.close()


def test_open_backend_finds_jack_and_says_what_is_not_there(jack) -> None:
    assert open_backend("jack").name == "jack"
    assert open_backend().name in ("jack", "alsa")


def connect(jack, source: str, sink: str) -> None:
    """Connect two ports as a patchbay does."""
    subprocess.run(["jack_connect", source, sink], env=jack.env, check=True, timeout=10)


def test_a_device_connected_to_attaccas_port_and_opened_by_name_counts_once(
    jack, tiny, tmp_path
) -> None:
    (tmp_path / "midi.toml").write_text(
        'takeover = false\n[[mapping]]\ntarget = "pause"\nkind = "note"\nnumber = 36\n'
        '[[mapping]]\ntarget = "gain"\nkind = "cc"\nnumber = 7\nmode = "twos-complement"\n'
    )
    nano = Device("nanoKONTROL")
    tiny.set(pause=False, gain=0.0)
    changed: list[str] = []
    tiny.controls.listen(lambda change: changed.extend(change.new))
    with MidiDesk(tiny, folder=tmp_path, inputs=["nano"]) as desk:
        until(lambda: any(p.taken for p in desk.ports), "it is opened by name")
        connect(jack, "nanoKONTROL:port", "Attacca:Attacca")
        for press in range(1, 11):
            before = desk.figures.received
            nano.send("note_on", note=36, velocity=100)
            nano.send("note_off", note=36)
            until(lambda was=before: desk.figures.received == was + 4, "it arrives twice")
            until(lambda n=press: changed.count("pause") == n, "each press switches")
        time.sleep(0.1)
        assert changed.count("pause") == 10
        assert tiny.settings["pause"] is False
        for _ in range(12):  # one message twelve times, faster than any hand
            nano.send("control_change", control=7, value=1)
        until(lambda: desk.figures.received == 40 + 24, "all of them arrive twice")
        time.sleep(0.1)
        assert tiny.settings["gain"] == pytest.approx(12 * 72 / 128)
        assert desk.figures.duplicates == 20 + 12
    nano.unplug()


@pytest.mark.alone  # how soon a note comes back shows that it is one
def test_notes_that_come_back_to_attacca_are_no_held_keys(jack, piano, tmp_path) -> None:
    held: list[tuple[int, ...]] = []
    original = piano.hold
    piano.hold = lambda keys, origin: (held.append(tuple(keys)), original(keys, origin))
    with MidiDesk(piano, folder=tmp_path) as desk:
        until(lambda: "Attacca out:Attacca" in jack.ports(), "its output is there")
        connect(jack, "Attacca out:Attacca", "Attacca:Attacca")
        until(lambda: desk.figures.received > 30, "its notes come back", 40)
        echoes = desk.figures.echoes
        until(lambda: held[-1:] == [()], "the first that came back goes up", 40)
        first = held[0]
        assert len(first) == 1
        assert held == [first, ()]  # a second that returns shows that it is a loop
        assert echoes > 20
    piano.hold = original
