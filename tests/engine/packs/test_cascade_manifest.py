"""Packs of several stages: what fits together, and in which words the rest is refused."""

from pathlib import Path

import pytest

from engine.errors import PackError
from engine.execution.executor import make_executor
from engine.packs.files import verify_files
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest
from engine.packs.stages import Input
from engine.stream.walk import PlanWalk

SHIPPED = Path(__file__).parents[3] / "packs" / "piano"


@pytest.fixture
def pack(tmp_path):
    """The shipped pack with a manifest of its own; the large files are links."""
    folder = tmp_path / "piano"
    folder.mkdir()
    for file in SHIPPED.iterdir():
        if file.name != "pack.toml":
            (folder / file.name).symlink_to(file)
    (folder / "pack.toml").write_text((SHIPPED / "pack.toml").read_text())
    return folder


def edited(pack, old, new, after=""):
    """Replace the first `old` that follows `after`."""
    file = pack / "pack.toml"
    head, mark, tail = file.read_text().partition(after) if after else ("", "", file.read_text())
    assert old in tail
    file.write_text(head + mark + tail.replace(old, new, 1))
    return pack


def refusal(pack):
    with pytest.raises(PackError) as caught:
        read_manifest(pack)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(pack / "pack.toml"))
    return text


NOTES, SOUND = 'name = "notes"', 'name = "sound"'


def test_a_cascade_reads_as_notes_and_then_their_sound(pack):
    m = read_manifest(pack)
    verify_files(m)
    notes, sound, decode = m.stages
    assert [s.kind for s in m.stages] == ["diffusion", "diffusion", "transform"]
    assert m.sampled == (notes, sound)
    assert [s.output for s in m.stages] == ["notes", "sound", m.output]
    assert [m.signal(s.output).kind for s in m.stages] == ["roll", "log-magnitude", "samples"]
    assert sound.inputs == (Input("notes", before=64, after=1, graph_input="notes"),)
    assert decode.inputs[0].signal == "sound"
    assert 2048 * notes.block == make_plan(m).block_samples == sound.block * 256
    assert {"held", "density", "room"} <= {c.short for c in m.controls}
    assert (notes.read_past, sound.read_past) == (128, 16)
    assert m.has_notes


def test_a_pack_of_one_stage_makes_no_notes():
    m = read_manifest(Path(__file__).parents[2] / "data" / "packs" / "tiny")
    assert not m.has_notes
    assert [s.kind for s in m.stages] == ["diffusion", "transform"]
    assert m.controls == ()


@pytest.mark.parametrize(
    ("after", "old", "new", "says"),
    [
        (SOUND, 'after = "notes"', 'after = "score"',
         "stage 'sound': after is 'score'; earlier stages are notes"),
        (NOTES, "frames = 8", 'frames = 8\nafter = "sound"',
         "stage 'notes': after is 'sound'; earlier stages are none"),
        (SOUND, 'after = "notes"', 'after = "sound"',
         "stage 'sound': after is 'sound'; earlier stages are notes"),
        ("", SOUND, NOTES, "stage 'notes': use a different word"),
        ("", NOTES, 'name = "my notes"', "stage 'my notes': use a different word"),
        (NOTES, "hop = 2048", "hop = 1024",
         "stage 'notes': a block is 8192 samples; the last stage's is 16384"),
        (SOUND, "frames = 64", "frames = 32",
         "stage 'notes': a block is 16384 samples; the last stage's is 8192"),
        (NOTES, "hop = 2048", "hop = 8", "stage.hop is 8; use 16 to 65536"),
        (NOTES, "hop = 2048", "", "stage 'notes': notes come first, with a hop"),
        (NOTES, 'continuing = "prefix"', 'continuing = "embed"',
         "stage 'notes': notes come first, with a hop and continuing = 'prefix'"),
        (SOUND, "frames = 64", 'frames = 64\nrepresents = "notes"\nhop = 256',
         "stage 'sound': notes come first"),
        (SOUND, "context_frames = 16", "",
         "stage 'sound': context_frames is missing; continuing by prefix needs it"),
        (NOTES, '"held"]', '"hold"]', "stage 'notes': control 'hold' is unknown; known are"),
        (SOUND, '"room"', '"reverb"', "stage 'sound': control 'reverb' is unknown"),
        (SOUND, '["instrument", "room", "brightness"]', '"room"',
         "stage.controls is 'room'; use a list"),
        (NOTES, 'represents = "notes"', 'represents = "chords"',
         "stage.represents is 'chords'; use spectrum, notes"),
        (SOUND, 'continuing = "prefix"', 'continuing = "replace"',
         "stage.continuing is 'replace'; use embed, prefix"),
        (NOTES, 'guidance = "controls"', 'guidance = "keys"',
         "stage.guidance is 'keys'; use"),
        (SOUND, "lookahead = 1", "lookahead = 65", "stage.lookahead is 65; use 0 to 64"),
        (SOUND, "history = 64", "history = -1", "stage.history is -1; use 0 to 65536"),
        (NOTES, "steps = 16", "steps = 0", "stage.steps is 0; use 1 to 200"),
        (NOTES, "temperature = 1.0", "temperature = 2.5",
         "stage.temperature is 2.5; use 0.5 to 1.5"),
        (NOTES, "steps = 16", "stepz = 16", "stage.stepz is unknown; known are name, represents"),
        (SOUND, 'context = "sound-context.onnx"', "", "stage.context is missing: file: ONNX graph"),
    ],
)  # fmt: skip
def test_a_stage_that_does_not_fit_is_named_with_what_it_takes(pack, after, old, new, says):
    assert says in refusal(edited(pack, old, new, after))


def test_a_cascade_that_ends_with_notes_makes_no_sound(pack):
    file = pack / "pack.toml"
    text = file.read_text()
    begin, end = text.index('[[stage]]\nname = "sound"'), text.index("[listening]")
    text = text[:begin] + text[end:]
    file.write_text(
        text.replace("frames = 8\n", "frames = 64\n").replace("hop = 2048", "hop = 256")
    )
    assert "the last stage outputs notes; use spectra" in refusal(pack)


def test_a_pack_without_stages_is_refused(pack):
    file = pack / "pack.toml"
    text = file.read_text()
    file.write_text(text[: text.index("[[stage]]")] + text[text.index("[listening]") :])
    assert "table [[stage]] is missing; a pack has one or more" in refusal(pack)


@pytest.mark.parametrize(
    ("after", "old", "new", "says"),
    [
        (NOTES, "context_frames = 128", "context_frames = 64",
         r"notes-context\.onnx: input 'past' is \[1, 352, 128\]; use \[1, 352, 64\]"),
        (SOUND, "context_frames = 16", "context_frames = 8",
         r"sound-context\.onnx: input 'past' is \[1, 512, 16\]; use \[1, 512, 8\]"),
        (SOUND, "history = 64", "history = 32",
         r"sound-context\.onnx: input 'notes' is \[1, 352, 73\]; use \[1, 352, 41\]"),
        (NOTES, '"density", ', "",
         r"notes-context\.onnx: input 'density' is unknown; known are harmony, held"),
        (SOUND, 'step = "sound-step.onnx"', 'step = "notes-step.onnx"',
         r"notes-step\.onnx: input 'x' is \[1, 352, 8\]; use \[1, 512, 64\]"),
    ],
)  # fmt: skip
def test_graphs_that_are_not_the_manifests_are_refused(pack, after, old, new, says):
    with pytest.raises(PackError, match=says):
        PlanWalk(read_manifest(edited(pack, old, new, after)), make_executor())


def test_a_transcription_that_is_not_in_the_pack_is_refused(pack):
    edited(pack, '"transcription.onnx"', '"ears.onnx"', "[listening]")
    with pytest.raises(PackError, match=r"'ears\.onnx' is not a listed file of the pack"):
        read_manifest(pack)
