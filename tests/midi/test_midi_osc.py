"""A window learns and lists controllers over OSC, with a real desk behind it, and without one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from midi_clients import Device, until

from midi.desk import MidiDesk
from osc.desk import DeskCommands
from osc.server import OscServer

sys.path.insert(0, str(Path(__file__).parents[1] / "osc"))
from osc_program import Program

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"


def answers(program: Program, question: str, each: str) -> list[tuple]:
    """What comes before the end of an answer in several messages."""
    first = len(program.heard)
    end = program.ask(question, answer=question + "/end")
    found = [m[1:] for m in program.heard[first:] if m[0] == each]
    assert end[1] == len(found)
    return found


@pytest.mark.sound
def test_a_controller_is_learnt_listed_and_forgotten_over_osc(jack, instrument, tmp_path) -> None:
    nano = Device("nano")
    with (
        MidiDesk(instrument, folder=tmp_path, inputs=["nano"]) as desk,
        OscServer(instrument, port=0, library=tmp_path, midi=desk) as server,
    ):
        window = Program(server.port)
        window.send("/events", 1)
        (port,) = [p for p in answers(window, "/midi/ports", "/midi/port") if "nano" in p[1]]
        assert port == ("in", "nano:port", 1)
        assert window.ask("/midi/learn", "/lock/gain") == ("/midi/learn", "/lock/gain")
        window.wait("/event", lambda m: "move a controller for lock/gain" in m[2])
        assert window.ask("/midi/learn") == ("/midi/learn", "/lock/gain")
        nano.send("control_change", control=20, value=1)
        nano.send("control_change", control=52, value=3)
        window.wait("/event", lambda m: "CC 20 and 52, channel 1 is mapped to lock/gain" in m[2])
        assert answers(window, "/midi/mappings", "/midi/mapping") == [
            ("/lock/gain", "CC 20 and 52, channel 1")
        ]
        assert window.ask("/midi/learn") == ("/midi/learn", "")
        assert window.ask("/midi/mode", "/lock/gain") == ("/midi/mode", "/lock/gain", "absolute")
        window.send("/midi/mode", "/lock/gain", "signed-bit")
        window.wait("/event", lambda m: "read as signed-bit" in m[2])
        assert window.ask("/midi/mode", "/lock/gain")[2] == "signed-bit"
        assert answers(window, "/midi/mappings", "/midi/mapping") == [
            ("/lock/gain", "CC 20 and 52, channel 1, relative, signed-bit")
        ]
        assert window.ask("/midi/learn", "/panic") == ("/midi/learn", "/panic")
        until(lambda: desk.figures.learning == "panic", "armed")
        nano.send("note_on", note=36, velocity=9)
        until(lambda: len(desk.mappings) == 2, "an action is learned as well")
        assert window.ask("/midi/takeover", 0) == ("/midi/takeover", 0)
        until(lambda: not desk.figures.takeover, "takeover is off")
        window.send("/midi/forget", "/lock/gain")
        until(lambda: [m.target for m in desk.mappings] == ["panic"], "it is forgotten")
        for address, argument in (
            ("/midi/learn", "/nothing"), ("/midi/learn", "/undo"), ("/midi/forget", "/gain"),
        ):  # fmt: skip
            assert window.ask(address, argument, answer="/error")[1:3] == (address, "value")
        for arguments in (("/gain", "signed-bit"), ("/panic", "signed-bit"), ("/gain",)):
            error = window.ask("/midi/mode", *arguments, answer="/error")
            assert error[1:3] == ("/midi/mode", "value")
        window.send("/status")
        assert window.wait("/status/midi/in")[1] == desk.figures.received > 0
        for name in ("bad", "duplicates", "echoes", "faults"):
            assert window.ask("/status", answer=f"/status/midi/{name}")[1] == 0
        window.close()
    nano.unplug()


def test_without_a_desk_each_address_is_one_error(instrument, tmp_path) -> None:
    with OscServer(instrument, port=0, library=tmp_path) as server:
        window = Program(server.port)
        for address in DeskCommands(None, None, None).handlers():  # type: ignore[arg-type]
            error = window.ask(address, answer="/error")
            assert error[1] == address
            assert "MIDI is not available" in error[3]
        window.send("/status")
        assert window.wait("/status/midi/learning")[1] == ""
        window.close()
