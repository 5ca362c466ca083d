"""Packs: what is read, what is refused and in which words."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.errors import PackError
from engine.packs.discovery import find_pack, installed_packs
from engine.packs.manifest import read_manifest
from engine.packs.sessions import Sessions
from engine.packs.verify import self_test, verify_files

TINY = Path(__file__).parents[2] / "data" / "packs" / "tiny"
SHIPPED = Path(__file__).parents[3] / "packs" / "piano"


@pytest.fixture
def pack(tmp_path):
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def edited(pack, old, new):
    file = pack / "pack.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return pack


def refusal(pack):
    with pytest.raises(PackError) as caught:
        read_manifest(pack)
    text = str(caught.value)
    assert "\n" not in text
    assert str(pack) in text
    return text


def test_the_shipped_pack_is_whole_small_and_computes_what_its_exporter_saw():
    manifest = read_manifest(SHIPPED)
    verify_files(manifest)
    assert self_test(manifest, Sessions(manifest)).passed
    assert sum(f.stat().st_size for f in SHIPPED.iterdir()) <= 40e6
    assert manifest.rate >= 16000
    assert any("Salamander" in line for line in manifest.credits)


def test_a_future_version_says_to_update(pack):
    text = refusal(edited(pack, "format = 1", "format = 9"))
    assert "format 9" in text
    assert "update" in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("hop = 32", "hop = -1", "representation.hop is -1; it takes 4 to 8192"),
        ("hop = 32", 'hop = "x"', "representation.hop is 'x'; it takes a int"),
        ("hop = 32", "", "representation.hop is missing"),
        ("hop = 32", "hop = 32\nshop = 1", "representation.shop is unknown"),
        ('continuing = "embed"', 'continuing = "magic"', "it takes embed"),
        ("bins = 64", "bins = 4096", "a window of 128 has 65"),
        ("format = 1", "format = [", "not valid TOML"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_takes(pack, old, new, says):
    assert says in refusal(edited(pack, old, new))


def test_a_folder_without_a_manifest_is_no_pack(tmp_path):
    assert "no pack.toml" in refusal(tmp_path)


def test_a_flipped_byte_is_found(pack):
    graph = pack / "step.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)
    with pytest.raises(PackError, match=r"step.onnx: damaged .* install the pack again"):
        verify_files(read_manifest(pack))


def test_a_missing_file_is_named(pack):
    (pack / "context.onnx").unlink()
    with pytest.raises(PackError, match=r"context.onnx: missing from the pack"):
        verify_files(read_manifest(pack))


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/passwd", "sub/../../x"])
def test_a_path_out_of_the_pack_is_refused(pack, name):
    edited(pack, 'step = "step.onnx"', f'step = "{name}"')
    edited(pack, "[files]", f'[files]\n"{name}" = "00"')
    manifest = read_manifest(pack)
    with pytest.raises(PackError, match="no file listed in the pack"):
        manifest.path(manifest.stage.step)


def test_a_graph_of_another_shape_is_refused(pack):
    manifest = read_manifest(edited(pack, "frames = 32", "frames = 64"))
    with pytest.raises(PackError, match=r"it has to be \[1, 64, 64\]"):
        Sessions(manifest)


def test_the_self_test_fails_when_the_machine_computes_something_else(pack):
    with np.load(pack / "golden.npz") as file:
        golden = dict(file)
    golden["spectrogram/x0"] = golden["spectrogram/x0"] + 0.01
    np.savez(pack / "golden.npz", **golden)
    manifest = read_manifest(pack)
    assert not self_test(manifest, Sessions(manifest)).passed


def test_packs_are_found_by_name_and_by_path_and_the_first_folder_wins(tmp_path, pack):
    env = {"ATTACCA_PACKS": str(tmp_path), "HOME": str(tmp_path / "home")}
    assert find_pack("tiny", env) == pack
    assert find_pack(str(pack), env) == pack
    assert "piano" in installed_packs(env), "the packs beside the program are found too"


def test_a_pack_that_is_not_installed_lists_those_that_are(tmp_path):
    with pytest.raises(PackError, match=r"pack 'organ' is not installed; installed: .*piano"):
        find_pack("organ", {"HOME": str(tmp_path)})


def test_opening_a_pack_leaves_the_callers_arithmetic_alone():
    manifest = read_manifest(TINY)
    Sessions(manifest)
    smallest = np.float32(1e-40)
    assert smallest * np.float32(0.5) > 0, "denormals are still numbers here"
