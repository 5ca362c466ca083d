"""`attacca packs show`: the plan of a pack as a musician reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import PIANO
from made_packs import (
    beat_roll,
    latent_with_diffusion_decoder,
    low_rate_and_upsampler,
    stereo_waveform,
)

from attacca.cli import main
from attacca.terminal.plan_view import plan_lines
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "packs.md").read_text("utf-8")
EXAMPLE = re.search(r"<!-- example -->\n```toml\n(.*?)```", PAGE, re.DOTALL)[1]


def shown(folder: Path) -> str:
    manifest = read_manifest(folder)
    return "\n".join(plan_lines(manifest, make_plan(manifest)))


def part(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0]


def test_the_shipped_pack_is_shown_with_rates_windows_delays_and_controls(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["packs", "show", str(PIANO)]) == 0
    text = capsys.readouterr().out
    signals = part(text, "\nsignals\n", "\n\n")
    assert re.search(r"^  notes +roll +352 +11\.7188 per second", signals, re.MULTILINE)
    assert re.search(r"^  sound +log-magnitude +512 +93\.75 per second", signals, re.MULTILINE)
    sound = part(text, "  2  sound: diffusion", "  3  decode")
    assert "64 frames, 0.683 s" in sound
    assert "multiples of 8 frames, 0.085 s" in sound
    assert "0.085 s behind the earliest stage" in sound
    assert "notes: 64 frames before the block and 1 after it (5.461 s and 0.085 s)" in sound
    assert "4, from 2 to 200" in sound
    controls = part(text, "\ncontrols\n", "\n\n")
    assert re.search(r"pack/density +number +0\.5 to 20 notes/s, or free +free", controls)


def test_a_pack_of_format_1_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packs", "show", str(ROOT / "tests" / "data" / "packs" / "tiny")]) == 0
    text = capsys.readouterr().out
    assert re.search(r"format +1$", text, re.MULTILINE)
    assert "32 frames, 0.128 s, by embed" in text
    assert "none" in text


def test_a_stereo_pack_that_continues_by_replacement_is_shown(tmp_path: Path) -> None:
    text = shown(stereo_waveform(tmp_path))
    assert "44100 Hz stereo" in text
    assert re.search(r"sound +samples +2 in 2 +44100 per second", text)
    assert "1024 frames, 0.023 s, by replace" in text
    assert "every interval 2 times, 256 frames of overlap" in text


def test_stages_on_several_grids_are_shown_in_the_order_in_which_they_run(tmp_path: Path) -> None:
    text = shown(low_rate_and_upsampler(tmp_path))
    assert re.search(r"1  low: diffusion -> low\n(.*\n)+ +2  sound: diffusion -> sound", text)
    assert re.search(r"low +samples +1 +4000 per second", text)
    assert "low: 8 frames before the block and 8 after it (2 ms and 2 ms)" in text
    assert "2 ms behind the earliest stage" in part(text, "2  sound", "controls")


def test_latents_are_shown_with_a_decoder_that_is_sampled(tmp_path: Path) -> None:
    text = shown(latent_with_diffusion_decoder(tmp_path))
    assert re.search(r"latents +latent +4 +250 per second", text)


def test_texts_are_shown_with_their_encoders_and_stages_that_nothing_needs(tmp_path: Path) -> None:
    text = EXAMPLE.replace('"depth", ', '"depth", "prompt", ')
    text = text.replace("[golden]", """[[control]]
name = "prompt"
kind = "text"
about = "What it sounds like."
[[encoder]]
control = "prompt"
graph = "step.onnx"
tokenizer = "mean.npy"
length = 77
outputs = { embedding = "text" }
[[signal]]
name = "spare"
kind = "samples"
[[stage]]
output = "spare"
kind = "network"
block = 256
inputs = [{ signal = "spectrum" }]
graphs = { run = "step.onnx" }
[golden]""")  # fmt: skip
    (tmp_path / "pack.toml").write_text(text, "utf-8")
    text = shown(tmp_path)
    assert re.search(r"^  prompt +step.onnx: up to 77 tokens, into text$", text, re.MULTILINE)
    assert "not needed for sound: spare" in text
    assert re.search(r"pack/weather +choice +one of dry, rain, storm +dry", text)
    assert re.search(r"pack/prompt +text .* none$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) < 120


@pytest.mark.parametrize(
    "words",
    [["show"], ["show", "piano", "tiny"], ["piano", "tiny"], ["show", "piano", "--test"]],
)
def test_words_that_are_not_one_pack_are_refused_in_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["packs", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "enter one name" in err


def test_a_pack_without_a_plan_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pack.toml").write_text(EXAMPLE.replace("block = 64", "block = 0"), "utf-8")
    assert main(["packs", "show", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "stage.block is 0; use 1 to" in err
    assert main(["packs", "show", "harpsichord"]) == 1
    assert "'harpsichord'" in capsys.readouterr().err


def test_beats_are_shown_per_beat_and_in_seconds_at_120_bpm(tmp_path: Path) -> None:
    text = shown(beat_roll(tmp_path))
    assert re.search(r"^  bars +bars +3 +4 per beat +nothing +the tempo map", text, re.MULTILINE)
    assert re.search(r"^  roll +roll +16 +4 per beat", text, re.MULTILINE)
    assert "4 frames, 0.500 s at 120 BPM" in text
    assert "transform (perform) -> strings" in text
