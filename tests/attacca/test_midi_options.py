"""MIDI from the command line: the options of play, and the list of ports."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from command_line import ROOT, attacca, environment, no_sound, running

sys.path.insert(0, str(Path(__file__).parents[1] / "osc"))
sys.path.insert(0, str(Path(__file__).parents[1] / "midi"))
from osc_program import Program
from test_osc_options import answered, free_port

FEW = ["--steps", "2", "--device", "none"]
MAPPED = '[[mapping]]\ntarget = "gain"\nkind = "cc"\nnumber = 7\n'


def library(folder: Path, text: str = "") -> dict[str, str]:
    """The environment in which the user's folder has this file of mappings."""
    home = folder / "data" / "attacca"
    home.mkdir(parents=True)
    if text:
        (home / "midi.toml").write_text(text)
    return {"XDG_DATA_HOME": str(folder / "data"), "HOME": str(folder)}


@pytest.mark.sound
def test_play_is_steered_by_a_controller_and_gives_its_ports_back(jack, tmp_path: Path) -> None:
    from midi_clients import Device, until

    env = environment(**library(tmp_path, "takeover = false\n" + MAPPED))
    port = free_port()
    nano = Device("nano")
    options = ["--osc-port", port, "--midi-in", "nano", "--midi-in", "absent", "--midi-api", "jack"]
    with running("play", *FEW, *options, cwd=tmp_path, env=env) as process:
        assert answered(port)
        until(lambda: "Attacca out:Attacca" in jack.ports(), "its own port is there")
        one = Program(port)
        end = time.monotonic() + 20
        while one.ask("/gain")[1] != -60.0:
            nano.send("control_change", control=7, value=0)
            assert time.monotonic() < end, "the controller moved nothing"
            time.sleep(0.1)
        one.close()
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "there is no input 'absent' yet" in out
    assert "Attacca" not in jack.ports()
    listed = attacca("midi", cwd=tmp_path, env=env)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "CC 7, any channel" in listed.stdout
    assert "nano:port" in listed.stdout
    nano.unplug()


def test_the_mode_of_an_encoder_is_set_on_the_command_line(tmp_path: Path) -> None:
    env = environment(**library(tmp_path, MAPPED))
    done = attacca("midi", "--mode", "gain", "twos-complement", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "CC 7, any channel, relative, twos-complement" in done.stdout
    kept = (tmp_path / "data" / "attacca" / "midi.toml").read_text()
    assert 'mode = "twos-complement"' in kept
    for words, says in (
        (("gain", "sideways"), "mode 'sideways' is unknown; use one of absolute, twos-complement"),
        (("seed", "signed-bit"), "no controller is mapped to seed; learn one first"),
    ):
        refused = attacca("midi", "--mode", *words, cwd=tmp_path, env=env)
        assert refused.returncode != 0
        assert says in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert (tmp_path / "data" / "attacca" / "midi.toml").read_text() == kept


def test_a_system_without_midi_is_silent_unless_midi_was_requested(tmp_path: Path) -> None:
    pytest.importorskip("rtmidi", reason="python-rtmidi has no wheel for this Python")
    env = {**no_sound(tmp_path), **library(tmp_path)}
    options = ["--duration", 0.3, "--no-osc", "--midi-api", "jack"]
    asked = attacca("play", *FEW, *options, cwd=tmp_path, env=env)
    assert asked.returncode == 1
    assert asked.stderr.count("\n") == 1
    assert "this system has no MIDI (jack" in asked.stderr
    done = attacca("play", *FEW, *options[:-2], cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_python_rtmidi_it_plays_and_says_how_to_install_it(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "rtmidi.py").write_text("raise ModuleNotFoundError(\"No module named 'rtmidi'\")\n")
    env = environment(**library(tmp_path)) | {"PYTHONPATH": f"{absent}:{ROOT}"}
    options = ["--duration", 0.3, "--no-osc"]
    plain = attacca("play", *FEW, *options, cwd=tmp_path, env=env)
    assert (plain.returncode, plain.stderr) == (0, "")
    for arguments in (["play", *FEW, *options, "--midi-in", "all"], ["midi"]):
        asked = attacca(*arguments, cwd=tmp_path, env=env)
        assert asked.returncode == 1
        assert asked.stderr.count("\n") == 1
        assert "pip install python-rtmidi" in asked.stderr


@pytest.mark.sound
def test_a_damaged_file_of_mappings_is_one_line_and_the_music_goes_on(jack, tmp_path: Path) -> None:
    pytest.importorskip("rtmidi", reason="python-rtmidi has no wheel for this Python")
    env = environment(**library(tmp_path, "takeover = perhaps"))
    options = ["--duration", 0.3, "--no-osc", "--midi-api", "jack"]
    done = attacca("play", *FEW, *options, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("midi.toml cannot be read") == 1
    listed = attacca("midi", cwd=tmp_path, env=env)
    assert listed.returncode == 1
    assert "midi.toml cannot be read" in listed.stderr
