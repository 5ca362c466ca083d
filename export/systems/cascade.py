"""The two-stage piano: notes first, then their sound.

Controls reach the context graphs in real units, as engine/controls/encoding.py encodes them; the
networks' own scales are applied here, inside the graph.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.controls.encoding import shape_of
from engine.controls.pack_controls import earlier_controls
from engine.notes.note import PITCHES
from engine.representations.roll import CHANNELS, ROWS
from export.checkpoint import Trained, read_checkpoint
from export.contents import Contents, Sampling, StageContents, System, control_table
from export.systems.spectrogram import AUDIO, decoded, representation_text, spectrum
from export.wrap import Denoiser, StageNetwork
from training.nets.columns import Columns, ColumnsConfig
from training.nets.notes import NotesConfig, NotesNet, posterior

NOTES, SOUND = "notes", "sound"
CONTEXT_TOKENS = 128
RATIOS = (0.05, 50.0)  # of sigma to alpha, for the notes
_SPREAD = 0.5  # standard deviation of the cells of a roll, roughly
NOTES_CONTROLS = ("harmony", "register", "density", "loudness", "style", "held")
SOUND_CONTROLS = ("instrument", "room", "brightness")
_TYPICAL = {"register": 62.0, "density": 7.0, "loudness": 70.0}  # 0.5 for the others


class RollNetwork(StageNetwork):
    """The notes network as `export.wrap.Denoiser` takes it: one block after a clean past.

    `context` takes past [1, 352, 128] and the controls; x is [1, 352, block].
    """

    def __init__(self, network: NotesNet) -> None:
        super().__init__()
        self.network = network

    def context(
        self,
        past: Tensor,
        harmony: Tensor,
        register: Tensor,
        density: Tensor,
        loudness: Tensor,
        style: Tensor,
        held: Tensor,
    ) -> dict[str, Tensor]:
        """Keys and values of every layer, each key's recent past, and the condition."""
        clean = past.transpose(1, 2)
        n = clean.shape[1]
        condition = torch.cat(
            [
                harmony,
                _scaled(register, (register[:, :1] - 60) / 24),
                _scaled(density, torch.log2(density[:, :1] + 0.5) / 3),
                _scaled(loudness, (loudness[:, :1] - 64) / 32),
                style,
                held,
            ],
            dim=1,
        )
        recent = torch.stack([clean[:, n - 1], clean[:, n - 8 :].mean(1)], dim=1)
        recent = recent.reshape(1, 2, CHANNELS, PITCHES).permute(0, 3, 1, 2)
        out = {
            "recent": recent.reshape(1, 1, PITCHES, 2 * CHANNELS),
            "condition": self.network.condition(condition)[:, None],
        }
        for i, (key, value) in enumerate(self.network.keys(self.network.past(clean))):
            out |= {f"key{i}": key, f"value{i}": value}
        return out

    def forward(self, x: Tensor, sigma: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """Return x0: the mean of the posterior."""
        block = self.network.config.block
        layers = range(self.network.config.layers)
        keys = [(context[f"key{i}"], context[f"value{i}"]) for i in layers]
        level = sigma.reshape(1, 1, 1).expand(1, block, 1)
        noisy = x.transpose(1, 2)
        positions = torch.arange(CONTEXT_TOKENS, CONTEXT_TOKENS + block)
        beliefs = self.network.denoise(
            noisy, level, context["condition"], keys, context["recent"], positions
        )
        return posterior(beliefs, noisy, level).mean().transpose(1, 2)


def _scaled(control: Tensor, value: Tensor) -> Tensor:
    """A control's value in the network's scale, 0 where it is free, and whether it is set."""
    is_set = control[:, 1:]
    return torch.cat([value * is_set, is_set], dim=1)


# ------------------------------------------------------------------------- checkpoints


def read_notes(path: Path) -> Trained[NotesNet]:
    """Open `checkpoint.pt` of a run of the recipe `notes`.

    Raises
    ------
    PackError
        When the file is missing or is no such checkpoint.
    """

    def build(state: dict[str, Any]) -> NotesNet:
        return NotesNet(NotesConfig.from_dict(json.loads(state["network"])))

    return read_checkpoint(path, "the notes stage", build)


def read_sound(path: Path) -> Trained[Denoiser[Columns]]:
    """Open `checkpoint.pt` of a run of the recipe `sound`.

    Raises
    ------
    PackError
        When the file is missing or is no such checkpoint.
    """

    def build(state: dict[str, Any]) -> Denoiser[Columns]:
        config = ColumnsConfig.from_dict(json.loads(state["network"]))
        floor = json.loads(state["spectrogram"])["floor"]
        return Denoiser(Columns(config, state["mean"].numpy(), state["scale"], floor))

    return read_checkpoint(path, "the sound stage", build)


# --------------------------------------------------------------------------- contents


def notes_stage(network: NotesNet, sampling: Sampling) -> StageContents:
    """The stage that generates notes."""
    block = network.config.block

    def inputs(i: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"past": _roll(CONTEXT_TOKENS, generator), **_controls(NOTES_CONTROLS, i)}

    return StageContents(
        NOTES,
        Denoiser(RollNetwork(network), "x0", _SPREAD),
        inputs,
        (1, ROWS, block),
        sampling,
        {
            "continues": "prefix", "past": CONTEXT_TOKENS,
            "controls": [*NOTES_CONTROLS, "temperature"],
        },
        "controls",
        RATIOS,
    )  # fmt: skip


def sound_stage(denoiser: Denoiser[Columns], sampling: Sampling) -> StageContents:
    """The stage that generates the spectrum of the notes."""
    c = denoiser.net.config

    def inputs(i: int, generator: torch.Generator) -> dict[str, Tensor]:
        past = denoiser.sigma_data * torch.randn(1, c.bins, c.past, generator=generator)
        return {
            "notes": _roll(c.tokens, generator), "past": past,
            "present": torch.tensor([float(i % 2)]), **_controls(SOUND_CONTROLS, i),
        }  # fmt: skip

    return StageContents(
        SOUND,
        denoiser,
        inputs,
        (1, c.bins, c.frames),
        sampling,
        {
            "inputs": [{"signal": NOTES, "before": c.history, "after": c.ahead}],
            "continues": "prefix", "past": c.past, "controls": list(SOUND_CONTROLS),
        },
    )  # fmt: skip


def _roll(tokens: int, generator: torch.Generator) -> Tensor:
    """A sparse roll [1, 352, tokens]."""
    struck = torch.rand((1, ROWS, tokens), generator=generator) < 0.03
    return torch.where(struck, 1.0, -1.0)


def _controls(names: tuple[str, ...], i: int) -> dict[str, Tensor]:
    """All controls free for an even `i`, all of them set for an odd one."""
    is_set = float(i % 2)
    shapes = {control.short: shape_of(control) for control in earlier_controls(names)}
    out = {}
    for name in names:
        value = torch.full((1, *shapes[name]), _TYPICAL.get(name, 0.5) * is_set)
        value[:, -1] = is_set
        out[name] = value
    return out


def contents(
    notes: Trained[NotesNet],
    sound: Trained[Denoiser[Columns]],
    sampling: Mapping[str, Sampling],
) -> Contents:
    """The pack of two trained networks."""
    s, denoiser = json.loads(sound.facts["spectrogram"]), sound.network
    c = denoiser.net.config
    token = c.frames // notes.network.config.block * s["hop"]  # samples
    block = c.frames * s["hop"] / s["rate"]
    return Contents(
        stages=(
            notes_stage(notes.network, sampling[NOTES]),
            sound_stage(denoiser, sampling[SOUND]),
            decoded(SOUND),
        ),
        head={"rate": s["rate"], "channels": 1, "output": AUDIO},
        tables={
            "signal": [
                {"name": NOTES, "kind": "roll", "rows": ROWS, "grid": {"samples": Fraction(token)}},
                spectrum(SOUND, c.bins, sound.facts),
                {"name": AUDIO, "kind": "samples"},
            ],
            "control": [
                control_table(c) for c in earlier_controls((*NOTES_CONTROLS, *SOUND_CONTROLS))
            ],
        },
        arrays={"mean.npy": sound.facts["mean"].numpy()},
        facts=(
            ("output", f"{s['rate']} Hz mono and its notes, blocks of {block:.3f} s, each "
                       "continuing the last"),
            ("notes", f"block diffusion over piano rolls, {notes.size}"),
            ("sound", f"diffusion of spectrogram columns from the notes, {sound.size}"),
            ("notes trained", notes.history),
            ("sound trained", sound.history),
            ("representation", representation_text(s)),
        ),
    )  # fmt: skip


def read(checkpoints: Mapping[str, Path], sampling: Mapping[str, Sampling]) -> Contents:
    """See `System.read`."""
    return contents(read_notes(checkpoints[NOTES]), read_sound(checkpoints[SOUND]), sampling)


SYSTEM = System(
    "notes first, then their sound",
    {
        NOTES: Sampling("ddim", 16, 8, sigma_max=8.0, sigma_min=0.15, rho=5.0),
        SOUND: Sampling(),
    },
    read,
)
