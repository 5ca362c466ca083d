"""The sound stage: notes stay with their sound, features follow physics, the past has its place."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")
mido = pytest.importorskip("mido", reason="the training extra is not installed")

from datasets import kit_folder  # noqa: E402

from engine.notes.note import LOWEST, PITCHES, Note  # noqa: E402
from engine.representations.roll import encode  # noqa: E402
from export.wrap import Denoiser  # noqa: E402
from training.data import room  # noqa: E402
from training.data.columns import Windows  # noqa: E402
from training.data.kit import Kit  # noqa: E402
from training.nets.columns import Columns, ColumnsConfig  # noqa: E402
from training.nets.features import FEATURES, PARTIALS, NoteFeatures  # noqa: E402
from training.recipes.sound import SOUND  # noqa: E402

pytestmark = pytest.mark.torch
TINY = SOUND["sound-tiny"]
RATE = TINY.network.rate


@pytest.fixture(scope="module")
def dataset(datasets):
    return datasets("sound")


# ------------------------------------------------------------------------ data


def test_every_note_of_a_piece_sounds_at_its_time_in_the_index(dataset):
    index = json.loads((dataset / "index.json").read_text())
    notes = np.load(dataset / "notes.npy")
    piece = next(p for p in index["pieces"] if p["split"] == "train")
    audio = np.load(dataset / "train.npy")[piece["offset"] : piece["offset"] + piece["length"]]
    table = notes[piece["notes_offset"] : piece["notes_offset"] + piece["notes_count"]]
    assert len(table) > 100
    late = []
    for _, _, start, _ in table[1:]:
        at = round(start * RATE)
        around = abs(audio[at - 400 : at + 400].astype(float))
        rise = np.flatnonzero(around > 0.3 * around.max())
        late.append((rise[rise > 250][0] - 400) / RATE)
    assert max(abs(np.percentile(late, [5, 95]))) < 0.010


def test_soft_notes_sound_softer_than_hard_ones_in_the_same_data(dataset):
    index = json.loads((dataset / "index.json").read_text())
    notes, audio = np.load(dataset / "notes.npy"), np.load(dataset / "train.npy")
    levels = {}
    for p in (p for p in index["pieces"] if p["split"] == "train"):
        assert 0 <= p["room"] <= 1
        assert -1 <= p["brightness"] <= 1
        for _, velocity, start, _ in notes[p["notes_offset"] :][: p["notes_count"]]:
            at = p["offset"] + round(start * RATE)
            level = np.log10(audio[at : at + RATE // 4].astype(float).std() + 1) * 20
            levels.setdefault(velocity > 70, []).append(level)
    assert np.mean(levels[True]) > np.mean(levels[False]) + 3


def test_a_window_holds_the_notes_of_its_own_samples(dataset):
    windows = Windows(dataset, "held", TINY.spectrogram, TINY.network)
    c = TINY.network
    piece = windows.pieces[0]
    start = float(np.load(dataset / "notes.npy")[piece["notes_offset"] + 5, 2])
    at = round(start * RATE) - 5 * c.hop  # the note falls into the block's sixth column
    samples, roll = windows.window(0, at)
    onset = roll.reshape(4, PITCHES, -1)[0]
    assert onset[:, c.history].max() > 0, "the block's first token holds the onset"
    attack = abs(samples[c.past * c.hop :])
    loud = np.flatnonzero(attack[: 10 * c.hop] > 0.3 * attack[: 10 * c.hop].max())
    assert abs(loud[0] - 5 * c.hop) < 0.012 * RATE


def test_a_window_may_begin_before_the_piece(dataset):
    windows = Windows(dataset, "train", TINY.spectrogram, TINY.network)
    samples, roll = windows.window(0, 0)
    first = TINY.network.past * TINY.network.hop
    assert not samples[:first].any()
    assert abs(samples[first:]).max() > 0.01
    assert (roll.reshape(4, PITCHES, -1)[0, :, : TINY.network.history] < 0).all()


def test_a_recording_without_notes_is_refused(dataset, tmp_path):
    index = json.loads((dataset / "index.json").read_text())
    for p in index["pieces"]:
        del p["notes_count"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    for name in ("train.npy", "notes.npy"):
        (tmp_path / name).symlink_to(dataset / name)
    with pytest.raises(ValueError, match=r"no train piece has notes\. Build it from MIDI"):
        Windows(tmp_path, "train", TINY.spectrogram, TINY.network)


def test_loudness_rises_without_a_step_where_the_layers_change(tmp_path):
    kit_folder(tmp_path / "grand", ("3", "6", "15"), lambda layer: 0.02 * layer)
    kit = Kit(tmp_path / "grand", 16000)
    levels = [20 * np.log10(kit.render([Note(60, v, 0, 0.5)])[:8000].std()) for v in range(5, 128)]
    steps = np.diff(levels)
    assert steps.min() > -0.1
    assert steps.max() < 2.0
    assert levels[-1] - levels[5] > 12


def test_a_second_piano_is_as_loud_as_the_first(tmp_path):
    kit_folder(tmp_path / "grand", ("3", "12"))
    kit_folder(tmp_path / "upright", ("L", "H"))
    grand = Kit(tmp_path / "grand", 16000)
    upright = Kit(tmp_path / "upright", 16000, grand.loudness)
    for velocity in (20, 60, 110):
        a, b = (k.render([Note(64, velocity, 0, 0.5)])[:8000].std() for k in (grand, upright))
        assert 20 * abs(np.log10(a / b)) < 0.5


def test_only_loud_pieces_are_bent_and_none_is_clipped():
    x = np.sin(np.arange(1000) / 10).astype(np.float32)
    assert np.array_equal(room.below_full_scale(0.9 * x), 0.9 * x)
    loud = room.below_full_scale(3 * x)
    assert 0.97 < abs(loud).max() <= 1
    quiet = abs(3 * x) < 0.8
    assert np.array_equal(loud[quiet], (3 * x)[quiet])


# ------------------------------------------------------------------- features

SECONDS = 256 / 24000  # a column


def features_of(notes, tokens=20, columns=80):
    """[columns, FEATURES, 88] of notes whose times are in columns from the roll's start."""
    timed = [Note(n.pitch, n.velocity, n.start * SECONDS, n.end * SECONDS) for n in notes]
    roll = torch.from_numpy(encode(timed, 0, tokens, 8 * SECONDS))
    found = NoteFeatures(tokens, 1, columns, SECONDS)(roll[None])
    first = (tokens - 1) * 8 - columns
    return found.reshape(columns, FEATURES, PITCHES).numpy(), first


def test_a_strike_shows_as_soon_as_the_window_reaches_it_and_then_decays():
    f, first = features_of([Note(60, 100, 101, 150)])
    at, key = 101 - first, 60 - LOWEST
    ring = f[:, 2, key]  # the fastest of the three, a strike of strength one
    assert np.all(ring[: at - 3] == 0)
    assert np.all(np.diff(ring[at - 4 : at]) > 0)
    assert ring[at] == pytest.approx(1, abs=1e-5)
    assert ring[at + 14] == pytest.approx(np.exp(-14 * SECONDS / 0.15), rel=1e-4)
    assert f[:, 3, key] == pytest.approx(ring * 100 / 127, rel=1e-4, abs=1e-6)
    assert not np.delete(f, key, 2)[:, :PARTIALS].any()


def test_a_strike_between_columns_is_shared_by_them():
    on, _ = features_of([Note(60, 100, 101, 150)])
    between, _ = features_of([Note(60, 100, 101.5, 150)])
    after, _ = features_of([Note(60, 100, 102, 150)])
    assert between == pytest.approx((on + after) / 2, abs=2e-3)


def test_a_strike_at_the_end_of_a_token_spills_into_the_next():
    f, first = features_of([Note(60, 100, 103.9, 150)])
    ring = f[:, 6, 60 - LOWEST]
    assert ring[104 - first] == pytest.approx(1, abs=0.01)


def test_a_strike_ahead_of_the_block_reaches_its_last_columns_only():
    f, _ = features_of([Note(60, 100, 153, 170)])  # the block ends at column 152
    ring = f[:, 2, 60 - LOWEST]
    assert ring[-1] > 0.05
    assert not ring[:-3].any()


def test_a_key_let_go_falls_silent_and_a_second_strike_does_not_wake_the_first():
    f, first = features_of([Note(60, 100, 90, 110), Note(60, 30, 140, 160)])
    key = 60 - LOWEST
    slow = f[:, 7, key]
    assert slow[106 - first] > 0.7  # dampers are known to half a token
    assert slow[130 - first] < 0.05
    assert slow[141 - first] == pytest.approx(30 / 127, rel=0.02)
    room_tail = f[:, 8, key]
    assert room_tail[120 - first] > 2 * slow[120 - first], "a room dies later than the string"


def test_the_highest_keys_have_no_dampers():
    f, first = features_of([Note(100, 100, 90, 100)])
    assert f[110 - first, 6, 100 - LOWEST] == pytest.approx(np.exp(-20 * SECONDS / 4), rel=1e-3)


def test_a_long_rest_leaves_numbers_finite():
    f, _ = features_of([Note(60, 100, 4, 5), Note(100, 90, 6, 9)], tokens=73)
    assert np.isfinite(f).all()
    assert f.min() >= 0


# ------------------------------------------------------------- network and run


def inputs(config, batch=2):
    value = torch.tensor([[0.5, 1.0]]).repeat(batch, 1)
    roll = torch.from_numpy(
        encode([Note(60, 90, 0.1, 9)], 0, config.tokens, 8 * config.hop / config.rate)
    )
    return {
        "roll": roll.repeat(batch, 1, 1), "past": torch.randn(batch, config.bins, config.past),
        "present": torch.ones(batch), "instrument": value, "room": value, "brightness": value,
    }  # fmt: skip


def with_weights(config):
    """A network with weights that are not zero where they begin as zero."""
    torch.manual_seed(0)
    model = Denoiser(Columns(config)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.05 * torch.randn(p.shape)
    return model


def test_context_and_step_together_are_the_network():
    config = TINY.network
    model, own = with_weights(config), inputs(config)
    x, sigma = torch.randn(2, config.bins, config.frames), torch.tensor([0.3, 4.0])
    with torch.no_grad():
        context = model.net.context(**own)
        x0 = model.denoise(x, torch.ones(2), sigma, context)
        assert torch.equal(x0, model(x, sigma, *own.values()))
    assert x0.shape == x.shape
    window = config.past + config.frames
    assert {k: tuple(t.shape) for k, t in context.items()} == {
        "window": (2, window, config.width),
        "guess": (2, config.frames, config.bins),
        "style": (2, 6),
    }


def test_free_controls_and_a_missing_past_have_no_effect():
    config = TINY.network
    model, own = with_weights(config), inputs(config)
    x, sigma = torch.randn(2, config.bins, config.frames), torch.ones(2)

    def x0(**changed):
        with torch.no_grad():
            return model(x, sigma, *(own | changed).values())

    bright, dark = torch.tensor([[1.0, 0.0]] * 2), torch.tensor([[-1.0, 0.0]] * 2)
    assert torch.equal(x0(brightness=bright), x0(brightness=dark))
    assert not torch.equal(x0(brightness=bright + torch.tensor([0, 1.0])), x0())
    other = torch.randn_like(own["past"])
    nothing = torch.zeros(2)
    assert torch.equal(x0(present=nothing), x0(present=nothing, past=other))
    assert not torch.equal(x0(), x0(past=other))


def test_the_shipped_size_stays_under_seven_and_a_half_million():
    count = sum(p.numel() for p in Columns(ColumnsConfig()).parameters())
    assert 6e6 < count < 7.5e6
