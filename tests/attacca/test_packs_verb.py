"""Packs as the command line and the public API show them, whole and damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import PIANO

from attacca import Pack
from attacca.cli import main
from engine.errors import PackError


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packs that is looked through first, with a copy of the piano in it."""
    shutil.copytree(PIANO, tmp_path / "library" / "piano")
    monkeypatch.setenv("ATTACCA_PACKS", str(tmp_path / "library"))
    return tmp_path / "library"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def test_packs_shows_what_a_pack_can_do(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packs"]) == 0
    out = capsys.readouterr().out
    assert "24000 Hz mono" in out
    assert "CC-BY-4.0" in out
    assert "Salamander" in out
    assert str(library / "piano") in out
    assert "notes      16 steps" in out
    assert "sound      4 steps" in out
    assert "density, harmony" in out
    assert "listens" in out


def test_packs_test_runs_the_golden_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packs", "piano", "--test"]) == 0
    assert "passed" in capsys.readouterr().out


def test_a_damaged_pack_is_listed_beside_the_sound_ones(
    library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(library / "piano", library / "broken")
    flip(library / "broken" / "sound-context.onnx")
    assert main(["packs"]) == 1
    out = capsys.readouterr().out
    damaged = [line for line in out.splitlines() if line.startswith("broken:")]
    assert len(damaged) == 1
    assert "sound-context.onnx" in damaged[0]
    assert "install the pack again" in damaged[0]
    assert "piano 2." in out


@pytest.mark.parametrize("verb", ["play", "render"])
def test_a_damaged_pack_is_refused_in_one_line(
    verb: str, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(library / "piano" / "sound-step.onnx")
    older = tmp_path / "older.wav"
    older.write_bytes(b"a recording that somebody wants to keep")
    options = {"play": ["--device", "none"], "render": ["--seconds", "1", str(older)]}[verb]
    assert main([verb, *options]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "step.onnx: damaged" in err
    assert older.read_bytes().startswith(b"a recording")


def test_a_pack_of_the_future_asks_for_an_update(
    library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = library / "piano" / "pack.toml"
    manifest.write_text(manifest.read_text().replace("format = 2", "format = 9"))
    assert main(["play", "--device", "none"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "format 9" in err
    assert "update attacca" in err


@pytest.mark.parametrize("verb", [["play", "--device", "none", "--pack"], ["packs"], ["bench"]])
def test_a_missing_pack_is_named_with_those_there_are(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb, "harpsichord"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "'harpsichord'" in err
    assert "piano" in err


def test_the_public_pack_opens_and_verifies(library: Path) -> None:
    pack = Pack.open("piano")
    pack.verify()
    assert pack.manifest.rate == 24000
    assert Pack.installed()["piano"] == library / "piano"
    flip(library / "piano" / "mean.npy")
    with pytest.raises(PackError, match=r"mean\.npy"):
        pack.verify()
