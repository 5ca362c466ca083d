"""What a performer reads: keys parsed, levels as dB, lines without control codes, the live view."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from attacca.terminal.faces import LineFace, LiveFace
from attacca.terminal.keys import parse
from attacca.terminal.noise import Noise
from attacca.terminal.readout import Readout, bar, clock_time, decibels
from attacca.terminal.table import columns

PLAYING = Readout(
    pack="piano", device="ci (ALSA)", state="playing", played=75.0, peaks_db=(-6.0, -12.0),
    rms_db=(-20.0, -30.0), lead=1.9, load=0.31, worst=0.42, steps=8, asked=8, eased=False,
    pending=False, sampler="dpmpp_2m", block_time=0.63, seed=123, gain=0.0, xruns=0, gaps=0,
    restarts=0, errors=(), live_latency=0.07, block_latency=3.1, recording="", last="",
)  # fmt: skip


def test_keys_are_distinguished_from_escape_sequences() -> None:
    assert parse(" p\x1b[A\x1b[B+q") == [" ", "p", "up", "down", "+", "q"]
    assert parse("\x1b[15~s\x1bOAr") == ["s", "up", "r"]
    assert parse("\x1b") == []


def test_levels_and_times_are_readable() -> None:
    assert decibels(0.5) == pytest.approx(-6.02, abs=0.01)
    assert decibels(0.0) == decibels(1e-9) == -60.0
    assert bar(-60.0, 10) == "░" * 10
    assert bar(3.0, 10) == "█" * 10
    assert clock_time(3675) == "1:01:15"


def test_eased_steps_show_the_requested_ones() -> None:
    assert replace(PLAYING, steps=5, eased=True).steps_text == "5 (eased from 8)"
    assert replace(PLAYING, asked=12, pending=True).steps_text == "8 (next 12)"
    assert PLAYING.steps_text == "8"


def test_plain_lines_come_every_few_seconds_without_control_codes() -> None:
    out = io.StringIO()
    face = LineFace(out, every=5.0)
    for tenth in range(120):
        face.show(replace(PLAYING, played=tenth / 10))
    face.event("restarted", "the generator ended")
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert "\x1b" not in out.getvalue()
    assert "seed 123" in lines[0]
    assert lines[-1] == "restarted: the generator ended"


@pytest.mark.parametrize("width", [100, 40])
def test_the_live_view_shows_everything_and_leaves_nothing(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=20, color_system=None)
    with LiveFace(console, keys=True) as face:
        shown = replace(PLAYING, recording="take.flac", last="seed: 123", xruns=2, restarts=1)
        face.show(shown)
    text = out.getvalue()
    for part in (
        "piano",
        "seed 123",
        "-6.0 dB",
        "lead  1.9 s",
        "recording take.flac",
        "space pause",
    ):
        assert part in text
    if width == 100:
        for part in ("load 0.31", "steps 8", "xruns 2", "restarts 1", "block 0.63 s"):
            assert part in text
    assert text.count("\x1b[2K") >= 6  # every line is wiped at the end


def test_noise_of_libraries_comes_out_after_the_view(capfd: pytest.CaptureFixture[str]) -> None:
    with Noise():
        os.write(2, b"ALSA lib: underrun\n" * 50)
        assert capfd.readouterr().err == ""
    err = capfd.readouterr().err
    assert err.count("ALSA lib") == 20
    assert "30 lines more" in err
    print("still there", file=sys.stderr)
    assert "still there" in capfd.readouterr().err


def test_columns_line_up() -> None:
    assert columns([("a", "b"), ("long", "c")]) == ["a     b", "long  c"]
    assert columns([]) == []
