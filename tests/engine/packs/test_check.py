"""What a well-formed manifest may still have wrong, and in which words it is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import PackError
from engine.packs.read import read_manifest

PAGE = (Path(__file__).parents[3] / "docs" / "packs.md").read_text("utf-8")
EXAMPLE = re.search(r"<!-- example -->\n```toml\n(.*?)```", PAGE, re.DOTALL)[1]
TEXT = '[[control]]\nname = "prompt"\nkind = "text"\nabout = "What it sounds like."\n\n'
ENCODER = """[[encoder]]
control = "prompt"
graph = "step.onnx"
tokenizer = "mean.npy"
length = 8
outputs = { embedding = "text" }

"""
SPARE = '[[signal]]\nname = "spare"\nkind = "samples"\n\n'
STAGES = '[[stage]]\noutput = "spectrum"'


def refusal(folder: Path, text: str) -> str:
    (folder / "pack.toml").write_text(text, "utf-8")
    with pytest.raises(PackError) as caught:
        read_manifest(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(folder / "pack.toml"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 3", "format = true", "format is True; use 1 to 3"),
        ('name = "brook"', 'name = "a b"', "use letters, digits, dots and dashes"),
        ('name = "spectrum"', 'name = "a b"', "signal 'a b': use a different word"),
        ('name = "spectrum"', 'name = "sound"', "signal 'sound': use a different word"),
        ('\noutput = "sound"\n\n', '\noutput = "music"\n\n', "output is 'music'"),
        ('\noutput = "sound"\n\n', '\noutput = "spectrum"\n\n', "use a signal of kind samples"),
        (STAGES, STAGES.replace("spectrum", "music"), "stage.output is 'music'; the signals are"),
        (STAGES, STAGES.replace("spectrum", "sound") + '\nname = "other"',
         "'sound' is the output of two stages"),
        ('{ signal = "spectrum" }', '{ signal = "music" }', "input 'music' is not a signal"),
        ('{ signal = "spectrum" }', '{ signal = "spectrum" }, { signal = "sound" }',
         "2 inputs; a transform has one"),
        ('{ signal = "spectrum" }', '{ signal = "spectrum", after = 1 }',
         "a transform takes what its input commits"),
        ('transform = "decode"', 'transform = "code"', "is 'code'; use decode, perform"),
        ('transform = "decode"', 'transform = "perform"', "it performs 'spectrum' as 'sound'"),
        ('transform = "decode"', 'transform = "decode"\nblock = 4', "has no block; leave it out"),
        ('continues = "prefix"', 'continues = "none"', "continues = 'none' has none"),
        ("past = 32 ", "#", "past is missing; continues = 'prefix' needs it"),
        ("past = 32 ", "resample = 2\npast = 32 ", "resample is of continues = 'replace'"),
        ('continues = "prefix"', 'continues = "cache"', "use graphs.read with continues"),
        ('continues = "prefix"', 'continues = "replace"\noverlap = 40', "use 0 to past, 32"),
        ('step = "step.onnx"', 'stop = "step.onnx"', "graphs.stop is unknown"),
        (', step = "step.onnx"', "", "graphs.step is missing"),
        (', step = "step.onnx"', ', step = "other.onnx"', "'other.onnx' is not a listed file"),
        ('"mean.npy"  ', '"other.npy"  ', "'other.npy' is not a listed file"),
        ('file = "golden.npz"', 'file = "other.npz"', "'other.npz' is not a listed file"),
        ('"depth", ', '"width", ', "control 'width' is unknown; the pack's are depth"),
        ("least = 2", "least = 5", "steps are 5, 4, 16"),
        ('kind = "ddim"', 'kind = "magic"', "Unknown sampler 'magic'"),
        ('kind = "ddim"', 'kind = "ddim", eta = 0.5', "Invalid option 'eta'"),
        ('kind = "karras"', 'kind = "magic"', "Unknown schedule 'magic'"),
        ("sigma_min = 0.02", "sigma_min = 30.0", "choose 0 < sigma_min < sigma_max"),
        ("sigma_min = 0.02", 'sigma_min = "low"', "schedule.sigma_min is 'low'; use a number"),
        ("window = 1024", "window = 1000", "signal 'spectrum': window is 1000 with hop 256"),
        ('kind = "samples"', 'kind = "samples"\nchannels = 1', "is 2; the output has 1"),
        ("{ samples = 256 }", "{ samples = 256, per_beat = 4 }", "use either samples or per_beat"),
        ("{ samples = 256 }", '{ samples = "1e9" }', "use a whole number or a fraction"),
        ("{ samples = 256 }", '{ samples = "1/0" }', "use a whole number or a fraction"),
        ('graphs = { context', 'graphs = { final = "step.onnx", context', None),
        ('branch = "controls"', 'branch = "past"', None),
        ("[golden]", TEXT + "[golden]", None),
        ("[golden]", ENCODER + "[golden]", "the texts of the pack are none"),
        ("[golden]", TEXT + ENCODER.replace('"text"', "3") + "[golden]", "encoder.outputs is"),
        ('unit = "m"', 'graph_input = "past"', "'past' is reserved"),
        ('unit = "m"', 'graph_input = "weather"', "graph_input 'weather' has two sources"),
        ("[[stage]]", SPARE * 63 + "[[stage]]", "65 tables [[signal]]; use 64 at most"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused_with_what_it_takes(tmp_path, old, new, says):
    assert EXAMPLE.count(old) >= 1
    text = EXAMPLE.replace(old, new, 1)
    if says is None:  # these can be played
        (tmp_path / "pack.toml").write_text(text, "utf-8")
        read_manifest(tmp_path)
    else:
        assert says in refusal(tmp_path, text)


def test_a_text_needs_its_encoder_where_a_stage_reads_it(tmp_path):
    text = EXAMPLE.replace('"depth", ', '"depth", "prompt", ').replace(
        "[golden]", TEXT + "[golden]"
    )
    assert "text 'prompt' has no [[encoder]]" in refusal(tmp_path, text)
    (tmp_path / "pack.toml").write_text(text.replace("[golden]", ENCODER + "[golden]"), "utf-8")
    assert read_manifest(tmp_path).encoders[0].outputs == {"embedding": "text"}


def test_guidance_by_the_past_needs_a_past_that_can_be_left_out(tmp_path):
    text = EXAMPLE.replace('branch = "controls"', 'branch = "past"')
    text = text.replace('continues = "prefix"', 'continues = "replace"')
    assert "guidance.branch is 'past'" in refusal(tmp_path, text)


def test_a_pack_that_finishes_with_another_network_takes_two_steps(tmp_path):
    text = EXAMPLE.replace("graphs = { context", 'graphs = { final = "step.onnx", context')
    assert "steps.least is 1" in refusal(tmp_path, text.replace("least = 2", "least = 1"))


def test_replacing_the_past_refuses_samplers_that_use_earlier_answers(tmp_path):
    text = EXAMPLE.replace('continues = "prefix"', 'continues = "replace"')
    text = text.replace('kind = "ddim"', 'kind = "heun"').replace("least = 2", "least = 4")
    assert "which is not possible with a replaced" in refusal(tmp_path, text)


def test_a_decode_reads_what_another_stage_produces(tmp_path):
    begin, end = EXAMPLE.index(STAGES), EXAMPLE.index('[[stage]]\noutput = "sound"')
    text = EXAMPLE[:begin] + EXAMPLE[end:]
    assert "no stage produces 'spectrum'" in refusal(tmp_path, text)


def test_sound_at_a_lower_rate_is_no_output(tmp_path):
    network = (
        '[[stage]]\noutput = "sound"\nkind = "network"\nblock = 4\ngraphs = { run = "step.onnx" }'
    )
    begin, end = EXAMPLE.index('[[stage]]\noutput = "sound"'), EXAMPLE.index("[[control]]")
    text = EXAMPLE[:begin] + network + "\n" + EXAMPLE[end:]
    text = text.replace('kind = "samples"', 'kind = "samples"\ngrid = { samples = 4 }')
    assert "not at the pack's rate" in refusal(tmp_path, text)
