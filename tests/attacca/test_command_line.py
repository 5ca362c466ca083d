"""The command line: what it refuses, how it says so, and that it starts light."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import ROOT, environment

import attacca
from attacca import cli
from attacca.cli import VERBS, main, make_parser
from attacca.verbs import export

HEAVY = (
    "numpy",
    "scipy",
    "onnxruntime",
    "rich",
    "sounddevice",
    "soundfile",
    "soxr",
    "cffi",
    "shtab",
)


def names() -> list[str]:
    return [verb.__name__.rsplit(".", 1)[-1] for verb in VERBS]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from attacca.cli import make_parser; make_parser().format_help();"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("verb", [n for n in names() if n != "export"])
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"attacca {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--steps", "0"], ["steps", "0", "1 to 200"]),
        (["--steps", "many"], ["steps", "'many'", "1 to 200"]),
        (["--steps", "4.5"], ["steps", "4.5", "whole number"]),
        (["--steps", "inf"], ["steps", "inf", "1 to 200"]),
        (["--steps", "nan"], ["steps", "'nan'", "1 to 200"]),
        (["--temperature", "9"], ["temperature", "9", "0.5 to 1.5"]),
        (["--guidance", "-1"], ["guidance", "-1", "0 to 4"]),
        (["--sampler", "foo"], ["sampler", "'foo'", "ddim", "dpmpp_2m"]),
        (["--gain", "99"], ["gain", "99", "-60 to 12 dB"]),
        (["--latency", "0.01"], ["latency", "0.01", "too short for this pack"]),
        (["--latency", "99"], ["latency", "99", "60 s", "jam"]),
        (["--latency", "soon"], ["latency", "'soon'", "jam"]),
        (["--latency", "0.2"], ["latency", "0.2", "too short for this pack"]),
        (["--seed", "-1"], ["seed", "-1", "0 to 2147483647"]),
        (["--threads", "0"], ["threads", "0", "1 to 256"]),
        (["--duration", "0"], ["duration", "0", "0.1"]),
        (["--loud"], ["--loud", "attacca --help"]),
        (["--pack"], ["--pack", "attacca play --help"]),
    ],
)
def test_a_bad_option_is_one_line_and_status_2(
    options: list[str], parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", "--device", "none", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("attacca: ")
    assert err.count("\n") == 1
    assert all(part in err for part in parts), err


@pytest.mark.parametrize(
    "arguments", [[], ["sing"], ["render", "x.wav"], ["render", "--seconds", "1"],
                  ["render", "--seconds", "1", "--minutes", "1", "x.wav"],
                  ["render", "--rate", "10", "--seconds", "1", "x.wav"], ["completion", "fish"]],
)  # fmt: skip
def test_a_wrong_command_is_one_line_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("attacca: ")
    assert err.count("\n") == 1


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out.strip() == f"attacca {project['version']}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_verbs_and_options(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in names())
    assert "seed-audio" in script
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script)
        assert subprocess.run([shell, "-n", path], capture_output=True).stderr == b""


def test_export_without_torch_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    assert main(["export", "model.pt", "--out", "packs/mine"]) == 1
    assert "pip install 'attacca[export]'" in capsys.readouterr().err


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "attacca", "packs"], env=environment(), cwd=tmp_path,
        stdout=write, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 0
    assert done.stderr == ""


def test_an_interruption_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(args: object) -> int:
        raise KeyboardInterrupt

    parser = make_parser()
    monkeypatch.setattr(cli, "make_parser", lambda: parser)
    monkeypatch.setattr(parser, "parse_args", lambda _: type("Args", (), {"run": interrupted}))
    assert main(["devices"]) == 130
    assert capsys.readouterr().err == ""


def test_the_public_names_are_there_and_come_late() -> None:
    code = (
        "import sys, attacca; late = 'numpy' not in sys.modules;"
        "print(late, [n for n in attacca.__all__ if getattr(attacca, n, None) is None])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.strip() == "True []", done.stderr
    with pytest.raises(AttributeError, match="Instrument"):
        _ = attacca.Trumpet


def test_the_guide_names_every_verb_and_every_option() -> None:
    guide = (ROOT / "docs" / "cli.md").read_text()
    assert [n for n in names() if f"attacca {n}" not in guide] == []
    verbs = next(a for a in make_parser()._actions if a.dest == "verb").choices
    options = {o for verb in verbs.values() for a in verb._actions for o in a.option_strings}
    missing = [o for o in options if o.startswith("--") and f"`{o}" not in guide]
    assert sorted(missing) == ["--help"]
