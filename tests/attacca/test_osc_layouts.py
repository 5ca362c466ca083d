"""`attacca osc --format LAYOUT --out FILE`: what lies in the file afterwards."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from command_line import attacca
from control_tables import SHIPPED_SPACE
from made_packs import stereo_waveform

from osc import LOOPBACK, PORT
from osc.templates import TEMPLATES
from osc.templates.surface import surface


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_layout_is_written_into_a_file(name: str, tmp_path: Path) -> None:
    done = attacca("osc", "--format", name, "--out", "layout", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    data = (tmp_path / "layout").read_bytes()
    assert data == TEMPLATES[name].make(surface(SHIPPED_SPACE), LOOPBACK, PORT)
    text = (data if TEMPLATES[name].text else zlib.decompress(data)).decode("utf-8")
    assert "/pack/harmony/c_sharp" in text
    assert str(PORT) in text


def test_a_layout_that_is_text_is_printed_without_a_file(tmp_path: Path) -> None:
    done = attacca("osc", "--format", "pd", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.encode() == TEMPLATES["pd"].make(surface(SHIPPED_SPACE), LOOPBACK, PORT)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = attacca("osc", "--format", "max", "--out", "no/such/folder", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "no/such/folder" in done.stderr


def test_a_list_has_the_controls_of_the_pack_that_is_named(tmp_path: Path) -> None:
    pack = stereo_waveform(tmp_path)
    done = attacca("osc", "--pack", str(pack), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "/gain" in done.stdout
    assert "/pack/density" not in done.stdout
