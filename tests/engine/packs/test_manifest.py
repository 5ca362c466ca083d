"""Packs: what is read, what is refused and in which words."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onnx_by_hand import pack_without_numbers, relisted

from engine.errors import AttaccaError, PackError
from engine.execution.executor import make_executor
from engine.instrument import Instrument
from engine.packs.discovery import find_pack, installed_packs
from engine.packs.files import load_arrays, verify_files
from engine.packs.read import read_manifest
from engine.stream.self_test import self_test
from engine.stream.walk import PlanWalk

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
    assert self_test(manifest, make_executor()).passed
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
        ("hop = 32", "hop = -1", "representation.hop is -1; use 4 to 8192"),
        ("hop = 32", 'hop = "x"', "representation.hop is 'x'; use a whole number"),
        ("hop = 32", "", "representation.hop is missing"),
        ("hop = 32", "hop = 32\nshop = 1", "representation.shop is unknown"),
        ('continuing = "embed"', 'continuing = "magic"', "use embed"),
        ("bins = 64", "bins = 4096", "a window of 128 has 65"),
        ("format = 1", "format = [", "not valid TOML"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_takes(pack, old, new, says):
    assert says in refusal(edited(pack, old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("channels = 1", "channels = 2", "audio.channels is 2; use 1: mono"),
        ("hop = 32", "hop = 48", "window is 128 with hop 48; the window has to be even and a mult"),
        ("hop = 32", "hop = 128", "window is 128 with hop 128"),
        ('mean = "mean.npy"', 'mean = "mean.npy"\nphase = "magic"', "use gradient-raar"),
        ("steps = 4", "steps = 1000", "stage.steps is 1000; use 1 to 200"),
        (
            "min_steps = 2",
            "min_steps = 8",
            "steps are 8, 4, 200; least, default and most have to rise",
        ),
        ('"dpmpp_2m"', '"magic"', "stage 'spectrogram': Unknown sampler 'magic'"),
        ('"karras"', '"magic"', "stage 'spectrogram': Unknown schedule 'magic'"),
        ("sigma_min = 0.002", "sigma_min = nan", "stage 'spectrogram': "),
        ("sigma_min = 0.002", 'sigma_min = "low"', "stage 'spectrogram': "),
        ("sigma_min = 0.002", "sigma = 0.002", "stage 'spectrogram': "),
        ("frames = 32", "frames = 32\nhop = 64", "hop is of notes"),
        ("frames = 32", "frames = 32\ncontext_frames = 4", "context_frames is of prefix"),
        ("frames = 32", "frames = 32\nhistory = 4", "history and lookahead need 'after'"),
        ("frames = 32", "frames = 32\nlookahead = 1", "history and lookahead need 'after'"),
        ('name = "tiny"', 'name = "ti\\nny"', "use letters, digits, dots and dashes"),
    ],
)
def test_what_this_player_cannot_play_is_refused_when_the_manifest_is_read(pack, old, new, says):
    assert says in refusal(edited(pack, old, new))


@pytest.mark.parametrize("rate", [4000, 44100, 192000])
def test_a_pack_of_any_rate_that_the_manifest_takes_is_played(pack, tmp_path, rate):
    edited(pack, "rate = 8000", f"rate = {rate}")
    with Instrument(pack, seed=1) as instrument:
        instrument.render(tmp_path / "a.wav", 0.5, rate=48000)
    audio, _ = soundfile.read(tmp_path / "a.wav")
    assert audio.std() > 1e-3


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
    with pytest.raises(PackError, match=r"context.onnx: the file is missing"):
        verify_files(read_manifest(pack))


@pytest.mark.parametrize(
    "name",
    [
        "../outside.onnx",
        "/etc/passwd",
        "sub/../../x",
        "..\\\\outside.onnx",
        "C:/x.onnx",
        "a\\u0000b",
    ],
)
def test_a_path_out_of_the_pack_is_refused(pack, name):
    edited(pack, 'step = "step.onnx"', f'step = "{name}"')
    edited(pack, "[files]", f'[files]\n"{name}" = "00"')
    assert "is not a listed file of the pack" in refusal(pack)


def test_a_graph_of_another_shape_is_refused(pack):
    manifest = read_manifest(edited(pack, "frames = 32", "frames = 64"))
    with pytest.raises(PackError, match=r"use \[1, 64, 64\]"):
        PlanWalk(manifest, make_executor())


def test_the_self_test_fails_when_the_machine_computes_something_else(pack):
    with np.load(pack / "golden.npz") as file:
        golden = dict(file)
    golden["spectrogram/x0"] = golden["spectrogram/x0"] + 0.01
    np.savez(pack / "golden.npz", **golden)
    manifest = read_manifest(relisted(pack, "golden.npz"))
    assert not self_test(manifest, make_executor()).passed


def test_the_self_test_fails_where_a_network_answers_no_numbers(pack):
    with np.load(pack / "golden.npz") as file:
        golden = dict(file)
    golden["spectrogram/alpha"] = np.full_like(golden["spectrogram/alpha"], np.nan)
    np.savez(pack / "golden.npz", **golden)
    manifest = read_manifest(relisted(pack, "golden.npz"))
    assert not self_test(manifest, make_executor()).passed


def test_a_pack_whose_network_answers_no_numbers_fails_its_self_test(tmp_path):
    manifest = read_manifest(pack_without_numbers(tmp_path))
    with pytest.raises(PackError, match="'spectrogram' answers values that are not finite numbers"):
        self_test(manifest, make_executor())


def test_a_mean_of_another_length_is_refused_before_anything_plays(pack):
    np.save(pack / "mean.npy", np.zeros(3, np.float32))
    manifest = read_manifest(relisted(pack, "mean.npy"))
    with pytest.raises(AttaccaError, match="mean"):
        self_test(manifest, make_executor())
    with Instrument(pack) as instrument, pytest.raises(AttaccaError, match="mean"):
        instrument.play(None)


@pytest.mark.parametrize("name", ["mean.npy", "golden.npz"])
def test_a_file_is_read_only_with_its_hash(pack, name):
    manifest = read_manifest(pack)
    with (pack / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(PackError, match=rf"{name}: damaged"):
        load_arrays(manifest, name)


def test_pickles_are_not_read(pack):
    np.save(pack / "mean.npy", np.array([{}]), allow_pickle=True)
    manifest = read_manifest(relisted(pack, "mean.npy"))
    with pytest.raises(PackError, match=r"mean.npy: cannot be read"):
        load_arrays(manifest, "mean.npy")


def test_a_pipe_in_place_of_a_file_is_refused_unread(pack):
    (pack / "LICENSE").unlink()
    os.mkfifo(pack / "LICENSE")
    with pytest.raises(PackError, match="LICENSE: not a regular file"):
        verify_files(read_manifest(pack))


def test_a_link_counts_as_what_it_leads_to(pack, tmp_path):
    (pack / "LICENSE").rename(tmp_path / "elsewhere")
    (pack / "LICENSE").symlink_to(tmp_path / "elsewhere")
    verify_files(read_manifest(pack))
    (tmp_path / "elsewhere").write_text("something else")
    with pytest.raises(PackError, match="LICENSE: damaged"):
        verify_files(read_manifest(pack))


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
    PlanWalk(manifest, make_executor()).warm_up()
    smallest = np.float32(1e-40)
    assert smallest * np.float32(0.5) > 0, "denormals are still numbers here"
