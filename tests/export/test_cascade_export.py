"""Two networks in, one playing pack out: it computes what torch did, opens, and makes music."""

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
onnx = pytest.importorskip("onnx", reason="the export extra is not installed")

import export.cascade_pack as cascade_pack  # noqa: E402
from engine.controls.encoding import encode as encoded  # noqa: E402
from engine.controls.pack_controls import earlier_controls  # noqa: E402
from engine.errors import PackError  # noqa: E402
from engine.packs.files import verify_files  # noqa: E402
from engine.packs.manifest import read_manifest  # noqa: E402
from engine.packs.sessions import Sessions  # noqa: E402
from engine.packs.verify import self_test  # noqa: E402
from engine.signal.roll import CHANNELS, PITCHES, ROWS, Note, encode  # noqa: E402
from engine.stream.blocks import BlockMaker, Request  # noqa: E402
from export.cascade import (  # noqa: E402
    CONTEXT_TOKENS,
    NotesContext,
    NotesStep,
    read_notes,
    read_sound,
)
from export.cascade_pack import StageCard, write_cascade  # noqa: E402
from export.graphs import halve_weights  # noqa: E402
from export.pack import PARITY, Card  # noqa: E402
from training.data.rolls import TOKEN, conditions  # noqa: E402
from training.edm import Preconditioned  # noqa: E402
from training.nets.columns import Columns  # noqa: E402
from training.nets.notes import NotesNet, posterior  # noqa: E402
from training.recipes.cascade import SOUND  # noqa: E402
from training.recipes.notes import NOTES  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow]
SHIPPED = Path(__file__).parents[2] / "packs" / "piano"
NOTES_CONFIG = NOTES["notes-tiny"].network
# Eight tokens of eight columns: the sound's block is made as long as the notes'.
SOUND_CONFIG = replace(SOUND["sound-tiny"].network, frames=64)
STAGES = (
    StageCard("ddim", 4, 2, schedule_options={"sigma_min": 0.15, "sigma_max": 8.0, "rho": 5.0}),
    StageCard("ddim", 2, 1, schedule_options={"sigma_min": 0.03, "sigma_max": 20.0, "rho": 7.0}),
)
PIANO = Path(__file__).parents[2] / "packs" / "piano"
CARD = Card("small", "A small piano", licence="CC0-1.0", credits=("Nobody, CC0.",), notes="Toy.")


def woken(network):
    """A network whose zero-initialised layers do something."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in network.parameters():
            p += 0.03 * torch.randn(p.shape, generator=generator)
    return network


def saved(path, trained, **facts):
    """A checkpoint as a run writes it."""
    facts = {"steps": 3, "samples": 12, "seconds": 7.5, **facts}
    torch.save({"ema": trained.state_dict(), **facts}, path)
    return path


def checkpoints(folder):
    torch.manual_seed(0)
    notes = woken(NotesNet(NOTES_CONFIG))
    mean = np.linspace(-1, -3, SOUND_CONFIG.bins).astype(np.float32)
    spectrogram = SOUND["sound-tiny"].spectrogram
    sound = woken(Preconditioned(Columns(SOUND_CONFIG, mean, 1.3, spectrogram.floor)))
    return (
        saved(folder / "notes.pt", notes, preset="notes-tiny",
              network=json.dumps(NOTES_CONFIG.as_dict())),
        saved(folder / "sound.pt", sound, preset="sound-tiny",
              network=json.dumps(SOUND_CONFIG.as_dict()),
              spectrogram=json.dumps(asdict(spectrogram)),
              mean=torch.from_numpy(mean), scale=1.3),
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The pack's folder, the parity that was returned, and both networks."""
    folder = tmp_path_factory.mktemp("cascade")
    notes_file, sound_file = checkpoints(folder)
    ears = SHIPPED / "transcription.onnx"
    notes, sound = read_notes(notes_file), read_sound(sound_file)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
        worst = write_cascade(notes, sound, CARD, STAGES, ears, folder / "small")
    return folder / "small", worst, notes, sound


# ------------------------------------------------------------------------------ the pack


def test_every_step_computes_what_torch_did(exported):
    folder, worst, *_ = exported
    assert 0 < worst < PARITY
    manifest = read_manifest(folder)
    result = self_test(manifest, Sessions(manifest))
    assert result.passed
    assert result.worst == pytest.approx(worst, rel=1)
    with np.load(folder / "golden.npz") as golden:
        for stage, shape in (("notes", (ROWS, 8)), ("sound", (64, 64))):
            assert golden[f"{stage}/x0"].shape == (4, *shape)
            assert golden[f"{stage}/x0"].std(axis=(1, 2)).min() > 0.01
            assert len(set(golden[f"{stage}/sigma"].tolist())) > 1


def test_it_reads_back_as_a_cascade_whose_files_are_whole(exported):
    folder, *_ = exported
    manifest = read_manifest(folder)
    verify_files(manifest)
    notes, sound = manifest.stages
    assert (notes.represents, notes.hop, notes.frames, notes.context_frames) == (
        "notes", 256, 8, CONTEXT_TOKENS,
    )  # fmt: skip
    assert (sound.after, sound.frames, sound.context_frames) == ("notes", 64, 8)
    assert (sound.history, sound.lookahead) == (8, 1)
    assert (notes.steps, notes.min_steps, sound.steps, sound.min_steps) == (4, 2, 2, 1)
    assert notes.schedule_options["sigma_max"] == 8
    assert manifest.rate == 8000
    assert manifest.transcription == "transcription.onnx"
    assert manifest.licence == "CC0-1.0"
    assert set(manifest.files) == {f.name for f in folder.iterdir()} - {"pack.toml"}


def test_people_are_told_what_it_is_and_whose(exported):
    folder, _, notes, _ = exported
    card = (folder / "MODEL_CARD.md").read_text()
    for text in ("A small piano", "notes-tiny", "sound-tiny", "12 examples", "Toy.", "CC0-1.0"):
        assert text in card
    for file in ("LICENSE", "MODEL_CARD.md"):
        assert "Nobody, CC0." in (folder / file).read_text()
        assert "basic-pitch" in (folder / file).read_text(), "the shipped graph is Spotify's"
    assert read_manifest(folder).credits[0] == "Nobody, CC0."
    assert notes.history == "preset `notes-tiny`, 12 examples, 0.00 h"


def test_it_makes_blocks_that_hold_what_is_asked_for(exported):
    folder, *_ = exported
    manifest = read_manifest(folder)
    maker = BlockMaker(manifest, Sessions(manifest))
    told, length = [], 0
    for i in range(3):
        made = maker.make(Request(i, 4, controls={"held": (60,)}))
        told += [(length + n.offset, n.pitch) for n in made.notes if n.velocity]
        length += len(made.samples)
        assert np.isfinite(made.samples).all()
        assert made.samples.std() > 1e-4
        assert made.evaluations == 4 + 2
    assert length == 3 * manifest.block_samples - 4 * 32
    assert (256, 60) in told


def test_a_difference_from_torch_is_refused(exported, tmp_path, monkeypatch):
    _, _, notes, sound = exported
    honest = cascade_pack._golden

    def wrong(made):
        vectors = honest(made)
        return vectors | {f"{made.name}/x0": vectors[f"{made.name}/x0"] + 0.01}

    monkeypatch.setattr(cascade_pack, "_golden", wrong)
    monkeypatch.setattr(cascade_pack, "export_graph", copied_from(exported[0]))
    with pytest.raises(PackError, match=r"torch and ONNX differ by .*; 0\.0001 is allowed"):
        write_cascade(notes, sound, CARD, STAGES, None, tmp_path / "small")


def copied_from(folder):
    """An exporter that takes the graphs made already: what it costs is of no interest here."""

    def copy(_module, _inputs, _outputs, path):
        path.write_bytes((folder / path.name).read_bytes())

    return copy


def test_without_a_transcription_the_pack_cannot_listen_and_says_nothing_of_it(
    exported, tmp_path, monkeypatch
):
    _, _, notes, sound = exported
    monkeypatch.setattr(cascade_pack, "export_graph", copied_from(exported[0]))
    write_cascade(notes, sound, CARD, STAGES, None, tmp_path / "small")
    manifest = read_manifest(tmp_path / "small")
    assert manifest.transcription == ""
    assert manifest.credits == ("Nobody, CC0.",)


def test_the_shipped_transcription_is_credited_by_itself(exported, tmp_path, monkeypatch):
    _, _, notes, sound = exported
    monkeypatch.setattr(cascade_pack, "export_graph", copied_from(exported[0]))
    write_cascade(notes, sound, CARD, STAGES, PIANO / "transcription.onnx", tmp_path / "small")
    credit = read_manifest(tmp_path / "small").credits[-1]
    assert credit == read_manifest(PIANO).credits[-1]
    assert "basic-pitch" in credit


def test_another_transcription_is_not_credited_to_spotify(exported, tmp_path, monkeypatch):
    _, _, notes, sound = exported
    monkeypatch.setattr(cascade_pack, "export_graph", copied_from(exported[0]))
    other = onnx.load(PIANO / "transcription.onnx")
    other.producer_name = "somebody else"
    onnx.save(other, tmp_path / "other.onnx")
    write_cascade(notes, sound, CARD, STAGES, tmp_path / "other.onnx", tmp_path / "small")
    assert read_manifest(tmp_path / "small").credits == ("Nobody, CC0.",)
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
def test_what_is_no_checkpoint_is_refused_in_one_line(read, tmp_path):
    other = tmp_path / "other.pt"
    torch.save({"ema": {}, "network": "{}"}, other)
    junk = tmp_path / "junk.pt"
    junk.write_bytes(b"not a checkpoint")
    for path, says in (
        (tmp_path / "none.pt", "no such checkpoint; give the checkpoint.pt of a run"),
        (junk, "not a checkpoint"), (other, "not a checkpoint"),
    ):  # fmt: skip
        with pytest.raises(PackError) as caught:
            read(path)
        text = str(caught.value)
        assert text.startswith(f"{path}: ")
        assert says in text
        assert "\n" not in text


def test_a_checkpoint_of_the_other_stage_is_refused(tmp_path):
    notes_file, sound_file = checkpoints(tmp_path)
    with pytest.raises(PackError, match="not a checkpoint of the notes stage"):
        read_notes(sound_file)
    with pytest.raises(PackError, match="not a checkpoint of the sound stage"):
        read_sound(notes_file)


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


def test_playing_a_block_is_training_one(exported):
    network = exported[2].network
    block = NOTES_CONFIG.block
    roll = excerpt(CONTEXT_TOKENS + block)
    told = conditions(roll.reshape(CHANNELS, PITCHES, -1), 1.0, block)[-1]
    given = told[:21].copy()
    past = torch.from_numpy(roll[None, :, :CONTEXT_TOKENS])
    x = torch.from_numpy(roll[None, :, CONTEXT_TOKENS:]) + torch.randn(1, ROWS, block)
    sigma = torch.tensor([0.7])
    controls = {
        "harmony": [float(v) for v in given[:12]],
        "register": 60 + 24 * float(given[13]),
        "density": float(2 ** (3 * given[15]) - 0.5),
        "loudness": 64 + 32 * float(given[17]),
        "style": "pop",
    }  # fmt: skip
    held = [21 + int(i) for i in np.flatnonzero(told[21:])]
    assert held, "something is held in the excerpt"
    names = NotesContext.INPUTS[1:]
    values = {**controls, "held": held}
    arrays = {
        c.graph_input: encoded(c, values.get(c.short, c.default)) for c in earlier_controls(names)
    }
    with torch.no_grad():
        context = NotesContext(network)(past, *(torch.from_numpy(arrays[n])[None] for n in names))
        x0 = NotesStep(network)(x, torch.ones(1), sigma, *context)
        whole = torch.from_numpy(roll.T.copy())[None]
        noised = torch.cat([whole[:, :CONTEXT_TOKENS], x.transpose(1, 2)], dim=1)
        tokens = CONTEXT_TOKENS + block
        level = torch.full((1, tokens), 0.7)
        beliefs = network(
            whole, noised, level, torch.from_numpy(told)[None, None].expand(1, tokens, -1),
            torch.tensor([tokens]),
        )  # fmt: skip
        trained = posterior(beliefs, noised, level[..., None]).mean()[:, CONTEXT_TOKENS:]
    np.testing.assert_allclose(x0.transpose(1, 2).numpy(), trained.numpy(), atol=1e-4)


def test_noise_scaled_by_alpha_is_the_same_noise(exported):
    network = exported[2].network
    step, context = NotesStep(network), NotesContext(network)
    x = step.example()
    with torch.no_grad():
        tensors = context(*context.example().values())
        one = step(x, torch.ones(1), torch.tensor([2.0]), *tensors)
        half = step(0.5 * x, torch.tensor([0.5]), torch.tensor([1.0]), *tensors)
    torch.testing.assert_close(one, half, atol=1e-5, rtol=1e-5)
