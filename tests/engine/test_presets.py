"""Presets as files: names as people and systems write them, text as editors save it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.errors import ConfigError, StorageError
from engine.packs.discovery import find_pack
from engine.packs.read import read_manifest
from engine.presets import Presets, checked_name

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"
VALUES = {"gain": -6.0}
TEXT = json.dumps({"format": 1, "pack": "tiny", "controls": VALUES})
COMPOSED, DECOMPOSED = "\u00c9t\u00e9", "E\u0301te\u0301"


@pytest.mark.parametrize(
    "name",
    ["Verse 1", COMPOSED, "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0e01\u0e33\u0e25\u0e31\u0e07",
     "\u97f3\u697d", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
     "x\u0323\u0302", "7", "_a", "\u00bd up"],
)  # fmt: skip
def test_a_name_in_any_script_is_kept_and_listed(tmp_path, name):
    presets = Presets(tmp_path)
    presets.save(name, VALUES, "tiny")
    assert presets.names() == [checked_name("a", name)]
    assert presets.load(name) == VALUES
    presets.delete(name)
    assert presets.names() == []


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "..", ".a", "-a", "a\u2028b", "\u0301", "\u200da", "a:b", "\U00020000" * 60, "a.",
     "a\ud800"],
)  # fmt: skip
def test_what_is_no_name_is_refused_in_one_line(name):
    with pytest.raises(ConfigError) as caught:
        checked_name("/preset/save", name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("on_disk", [COMPOSED, DECOMPOSED])
def test_letters_are_the_same_however_they_are_written(tmp_path, typed, on_disk):
    (tmp_path / f"{on_disk}.json").write_text(TEXT)
    presets = Presets(tmp_path)
    assert presets.names() == [COMPOSED]
    assert presets.load(typed) == VALUES
    presets.save(typed, {"gain": 2.0}, "tiny")
    assert presets.load(typed) == {"gain": 2.0}
    assert len(list(tmp_path.iterdir())) == 1, "saved over it, not beside it"
    presets.delete(typed)
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_name_is_no_text_is_passed_over(tmp_path):
    (tmp_path / "\udcff.json").write_text(TEXT)
    assert Presets(tmp_path).names() == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_preset_saved_by_any_editor_is_read(tmp_path, encoding, end):
    text = json.dumps(json.loads(TEXT), indent=1)
    (tmp_path / "a.json").write_bytes(text.replace("\n", end).encode(encoding))
    assert Presets(tmp_path).load("a") == VALUES


def test_a_preset_in_utf_16_is_one_line_that_says_so(tmp_path):
    (tmp_path / "a.json").write_text(TEXT, encoding="utf-16")
    with pytest.raises(StorageError, match="UTF-16; save it as UTF-8"):
        Presets(tmp_path).load("a")


def test_a_folder_that_cannot_be_created_is_one_line_with_the_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=f"{tmp_path}/file/presets"):
        Presets(tmp_path / "file" / "presets").save("a", VALUES, "tiny")


def test_a_full_disk_leaves_the_preset_as_it_was(small_disk):
    presets = Presets(small_disk)
    presets.save("a", VALUES, "tiny")
    free = os.statvfs(small_disk)
    (small_disk / "filling").write_bytes(bytes(free.f_bavail * free.f_bsize))
    with pytest.raises(StorageError, match="No space left"):
        presets.save("a", {"gain": 2.0}, "tiny")
    assert presets.load("a") == VALUES
    assert {p.name for p in small_disk.iterdir()} == {"a.json", "filling"}


def test_a_pack_of_any_editor_is_read_and_found_by_either_spelling(tmp_path, monkeypatch):
    pack = tmp_path / DECOMPOSED
    pack.mkdir()
    text = (TINY / "pack.toml").read_bytes()
    (pack / "pack.toml").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert read_manifest(pack).name == "tiny"
    monkeypatch.setenv("ATTACCA_PACKS", str(tmp_path))
    assert find_pack(COMPOSED) == find_pack(DECOMPOSED) == pack
