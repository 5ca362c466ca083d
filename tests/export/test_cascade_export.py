"""Two networks become one pack: it computes the same as torch, opens, and plays."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
onnx = pytest.importorskip("onnx", reason="the export extra is not installed")

from small_systems import CARD, NOTES_CONFIG, PIANO  # noqa: E402

import export.pack as exporter  # noqa: E402
from engine.controls.encoding import encode as encoded  # noqa: E402
from engine.controls.pack_controls import earlier_controls  # noqa: E402
from engine.errors import PackError  # noqa: E402
from engine.execution.executor import make_executor  # noqa: E402
from engine.notes.note import PITCHES, Note  # noqa: E402
from engine.packs.files import verify_files  # noqa: E402
from engine.packs.read import read_manifest  # noqa: E402
from engine.representations.roll import CHANNELS, ROWS, encode  # noqa: E402
from engine.stream.requests import make_request  # noqa: E402
from engine.stream.self_test import self_test  # noqa: E402
from engine.stream.walk import PlanWalk  # noqa: E402
from export.graphs import halve_weights  # noqa: E402
from export.pack import PARITY, write_pack  # noqa: E402
from export.systems.cascade import (  # noqa: E402
    CONTEXT_TOKENS,
    NOTES_CONTROLS,
    RATIOS,
    SOUND_CONTROLS,
    RollNetwork,
    read_notes,
    read_sound,
)
from export.wrap import ContextGraph, Denoiser, StepGraph  # noqa: E402
from training.data.rolls import TOKEN, conditions  # noqa: E402
from training.nets.notes import posterior  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow]


# ------------------------------------------------------------------------------ the pack


def test_every_step_computes_the_same_as_torch(cascade_pack):
    folder, worst = cascade_pack.folder, cascade_pack.worst
    assert 0 < worst < PARITY
    manifest = read_manifest(folder)
    result = self_test(manifest, make_executor())
    assert result.passed
    assert result.worst == pytest.approx(worst, rel=1)
    with np.load(folder / "golden.npz") as golden:
        for stage, shape in (("notes", (ROWS, 8)), ("sound", (64, 64))):
            assert golden[f"{stage}/x0"].shape == (4, *shape)
            assert golden[f"{stage}/x0"].std(axis=(1, 2)).min() > 0.01
            assert len(set(golden[f"{stage}/sigma"].tolist())) > 1


def test_it_reads_back_as_a_cascade_whose_files_are_whole(cascade_pack):
    folder = cascade_pack.folder
    manifest = read_manifest(folder)
    verify_files(manifest)
    notes, sound, decode = manifest.stages
    assert [s.kind for s in manifest.signals] == ["roll", "log-magnitude", "samples"]
    assert manifest.signal("notes").grid.samples == 256
    assert (notes.continues, notes.block, notes.past) == ("prefix", 8, CONTEXT_TOKENS)
    assert (sound.continues, sound.block, sound.past) == ("prefix", 64, 8)
    (read,) = sound.inputs
    assert (read.signal, read.before, read.after) == ("notes", 8, 1)
    assert (decode.kind, decode.output, manifest.output) == ("transform", "audio", "audio")
    steps = [(s.sampling.steps.default, s.sampling.steps.least) for s in (notes, sound)]
    assert steps == [(4, 2), (2, 1)]
    assert notes.sampling.schedule_options["sigma_max"] == 8
    assert (notes.sampling.guidance.branch, sound.sampling.guidance.branch) == ("controls", "")
    assert manifest.controls == earlier_controls((*NOTES_CONTROLS, *SOUND_CONTROLS))
    assert manifest.rate == 8000
    assert manifest.transcription == "transcription.onnx"
    assert manifest.licence == "CC0-1.0"
    assert set(manifest.files) == {f.name for f in folder.iterdir()} - {"pack.toml"}


def test_the_model_card_describes_the_pack_and_its_credits(cascade_pack):
    folder, notes = cascade_pack.folder, cascade_pack.trained["notes"]
    card = (folder / "MODEL_CARD.md").read_text()
    for text in ("A small piano", "notes-tiny", "sound-tiny", "12 examples", "Toy.", "CC0-1.0"):
        assert text in card
    for file in ("LICENSE", "MODEL_CARD.md"):
        assert "The tests, CC0." in (folder / file).read_text()
        assert "basic-pitch" in (folder / file).read_text(), "the shipped graph is Spotify's"
    assert read_manifest(folder).credits[0] == "The tests, CC0."
    assert notes.history == "preset `notes-tiny`, 12 examples, 0.00 h"


def test_its_blocks_hold_the_keys_that_are_requested(cascade_pack):
    folder = cascade_pack.folder
    manifest = read_manifest(folder)
    walk = PlanWalk(manifest, make_executor())
    struck, length = [], 0
    for i in range(3):
        block = walk.make(make_request(walk.plan, i, controls={"held": [60]}))
        struck += [(length + n.offset, n.pitch) for n in block.notes if n.velocity]
        length += len(block.samples)
        assert np.isfinite(block.samples).all()
        assert block.samples.std() > 1e-4
        assert block.evaluations == 4 + 2
    assert length == 3 * 64 * 32 - 4 * 32
    assert (256, 60) in struck


def test_a_difference_from_torch_is_refused(cascade_pack, tmp_path, monkeypatch):
    correct = exporter.golden_vectors

    def wrong(stage, *graphs):
        vectors = correct(stage, *graphs)
        return vectors | {f"{stage.name}/x0": vectors[f"{stage.name}/x0"] + 0.01}

    monkeypatch.setattr(exporter, "golden_vectors", wrong)
    monkeypatch.setattr(exporter, "export_graph", copied_from(cascade_pack.folder))
    with pytest.raises(
        PackError, match=r"torch and ONNX differ by .*\. At most 0\.0001 is allowed"
    ):
        write_pack(cascade_pack.contents, CARD, tmp_path / "small")


def copied_from(folder):
    """An exporter that copies graphs instead of tracing them, which takes seconds."""

    def copy(_module, _inputs, _outputs, path):
        shutil.copyfile(folder / path.name, path)

    return copy


def test_without_a_transcription_the_pack_has_none_and_credits_none(
    cascade_pack, tmp_path, monkeypatch
):
    monkeypatch.setattr(exporter, "export_graph", copied_from(cascade_pack.folder))
    write_pack(cascade_pack.contents, CARD, tmp_path / "small")
    manifest = read_manifest(tmp_path / "small")
    assert manifest.transcription == ""
    assert manifest.credits == ("The tests, CC0.",)


def test_the_shipped_transcription_is_credited_by_itself(cascade_pack, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "export_graph", copied_from(cascade_pack.folder))
    write_pack(cascade_pack.contents, CARD, tmp_path / "small", PIANO / "transcription.onnx")
    credit = read_manifest(tmp_path / "small").credits[-1]
    assert credit == read_manifest(PIANO).credits[-1]
    assert "basic-pitch" in credit


def test_another_transcription_is_not_credited_to_spotify(cascade_pack, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "export_graph", copied_from(cascade_pack.folder))
    other = onnx.load(PIANO / "transcription.onnx")
    other.producer_name = "somebody else"
    onnx.save(other, tmp_path / "other.onnx")
    write_pack(cascade_pack.contents, CARD, tmp_path / "small", tmp_path / "other.onnx")
    assert read_manifest(tmp_path / "small").credits == ("The tests, CC0.",)
    for file in ("LICENSE", "MODEL_CARD.md"):
        assert "basic-pitch" not in (tmp_path / "small" / file).read_text()


def test_a_constant_beyond_half_precision_stays_as_it_is():
    values = np.full(300, 1e6, np.float32)
    tensor = onnx.numpy_helper.from_array(values, "large")
    node = onnx.helper.make_node("Identity", ["large"], ["out"])
    out = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [300])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [out], [tensor]))
    halve_weights(model)
    (kept,) = model.graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(kept), values)


# ------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("read", [read_notes, read_sound])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(read, tmp_path):
    other = tmp_path / "other.pt"
    torch.save({"ema": {}, "network": "{}"}, other)
    junk = tmp_path / "junk.pt"
    junk.write_bytes(b"not a checkpoint")
    for path, says in (
        (tmp_path / "none.pt", "no such file. Use the checkpoint.pt of a run."),
        (junk, "not a checkpoint"), (other, "not a checkpoint"),
    ):  # fmt: skip
        with pytest.raises(PackError) as caught:
            read(path)
        text = str(caught.value)
        assert text.startswith(f"{path}: ")
        assert says in text
        assert "\n" not in text


def test_a_checkpoint_of_the_other_stage_is_refused(saved_runs):
    with pytest.raises(PackError, match="not a checkpoint of the notes stage"):
        read_notes(saved_runs["sound"])
    with pytest.raises(PackError, match="not a checkpoint of the sound stage"):
        read_sound(saved_runs["notes"])


def test_a_pickle_that_would_run_something_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save({"ema": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(PackError, match=r"trap\.pt: not a checkpoint"):
        read_notes(tmp_path / "trap.pt")


# ------------------------------------------------------- played as it was trained


def excerpt(tokens):
    rng = np.random.default_rng(2)
    notes = [
        Note(
            int(rng.integers(40, 90)), int(rng.integers(30, 110)), s, s + float(rng.uniform(0.1, 1))
        )
        for s in np.arange(0, tokens * TOKEN, 0.17)
    ]
    return encode(notes, 0, tokens, TOKEN)


def graphs_of(network, inputs):
    denoiser = Denoiser(RollNetwork(network), "x0", 1.0)
    context = ContextGraph(denoiser.net, inputs)
    return context, StepGraph(denoiser, context.names, RATIOS)


def test_a_block_is_played_as_it_was_trained(cascade_pack):
    network = cascade_pack.trained["notes"].network
    block = NOTES_CONFIG.block
    roll = excerpt(CONTEXT_TOKENS + block)
    values = conditions(roll.reshape(CHANNELS, PITCHES, -1), 1.0, block)[-1]
    known = values[:21].copy()
    past = torch.from_numpy(roll[None, :, :CONTEXT_TOKENS])
    x = torch.from_numpy(roll[None, :, CONTEXT_TOKENS:]) + torch.randn(1, ROWS, block)
    sigma = torch.tensor([0.7])
    controls = {
        "harmony": tuple(float(v) for v in known[:12]),
        "register": 60 + 24 * float(known[13]),
        "density": float(2 ** (3 * known[15]) - 0.5),
        "loudness": 64 + 32 * float(known[17]),
        "style": "pop",
        "held": tuple(21 + int(i) for i in np.flatnonzero(values[21:])),
    }  # fmt: skip
    assert controls["held"], "something is held in the excerpt"
    inputs = {"past": past}
    for control in earlier_controls(NOTES_CONTROLS):
        inputs[control.short] = torch.from_numpy(encoded(control, controls[control.short]))[None]
    context, step = graphs_of(network, inputs)
    with torch.no_grad():
        x0 = step(x, torch.ones(1), sigma, *context(*inputs.values()))
        whole = torch.from_numpy(roll.T.copy())[None]
        noised = torch.cat([whole[:, :CONTEXT_TOKENS], x.transpose(1, 2)], dim=1)
        tokens = CONTEXT_TOKENS + block
        level = torch.full((1, tokens), 0.7)
        beliefs = network(
            whole, noised, level, torch.from_numpy(values)[None, None].expand(1, tokens, -1),
            torch.tensor([tokens]),
        )  # fmt: skip
        trained = posterior(beliefs, noised, level[..., None]).mean()[:, CONTEXT_TOKENS:]
    np.testing.assert_allclose(x0.transpose(1, 2).numpy(), trained.numpy(), atol=1e-4)


def test_noise_scaled_by_alpha_is_the_same_noise(cascade_pack):
    network = cascade_pack.trained["notes"].network
    inputs = cascade_pack.contents.stages[0].inputs(1, torch.Generator())
    context, step = graphs_of(network, inputs)
    x = torch.randn(cascade_pack.contents.stages[0].shape)
    with torch.no_grad():
        tensors = context(*inputs.values())
        one = step(x, torch.ones(1), torch.tensor([2.0]), *tensors)
        half = step(0.5 * x, torch.tensor([0.5]), torch.tensor([1.0]), *tensors)
    torch.testing.assert_close(one, half, atol=1e-5, rtol=1e-5)
