"""`attacca gui` from the command line: what it hands on to the engine, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import attacca, environment

from attacca.cli import make_parser
from engine.errors import ConfigError


def options(*typed: str) -> list[str]:
    args = make_parser().parse_args(["gui", *typed])
    return args.options(args)


def test_options_are_checked_here_and_handed_on_as_they_were_typed():
    assert options() == []
    typed = ["--pack", "piano", "--steps", "4", "--harmony", "C Eb", "--latency", "jam",
             "--device", "Scarlett", "--seed-midi", "my tune.mid", "--osc-allow", "10.0.0.1",
             "--osc-allow", "10.0.0.2"]  # fmt: skip
    given = options(*typed, "--osc-port", "9020")
    assert sorted(zip(given[::2], given[1::2], strict=True)) == sorted(
        zip(typed[::2], typed[1::2], strict=True)
    )
    args = make_parser().parse_args(["play", *given])
    assert args.latency == 0.9
    assert args.steps == 4
    with pytest.raises(ConfigError, match="steps: '900' is out of range"):
        options("--steps", "900")


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (["--connect", "studio:ninety"], "'studio:ninety' is not HOST:PORT"),
        (["--connect", "studio:99999"], "not HOST:PORT"),
        (["--connect", "studio", "--steps", "4"], "--connect starts no engine, so --steps"),
        (["--no-osc"], "the window needs OSC"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(typed, why, capsys):
    from attacca.cli import main

    assert main(["gui", *typed]) == 2
    assert why in (said := capsys.readouterr().err)
    assert said.count("\n") == 1


def test_without_pyqt6_one_line_says_how_to_get_it(tmp_path: Path):
    fake = tmp_path / "PyQt6"
    fake.mkdir()
    (fake / "__init__.py").write_text("raise ImportError('libEGL.so.1: no such file')\n")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    done = attacca("gui", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "libEGL.so.1" in done.stderr
    assert "./run gui" in done.stderr
    assert "pip install attacca[gui]" in done.stderr
