"""The graphs of the two-stage piano: notes, then their sound. Checkpoints read weights only.

What a context graph hears comes in real units, as engine/controls/encoding.py has them; the
networks' own scales are applied here, inside the graph.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import PackError
from engine.notes.note import PITCHES
from engine.representations.roll import CHANNELS, ROWS

CONTEXT_TOKENS = 128
_LOWEST_LEVEL, _HIGHEST_LEVEL = 0.05, 50.0  # of sigma, for the notes


@dataclass(frozen=True)
class Trained:
    """A checkpoint's network in eval mode, and what it says of itself."""

    network: nn.Module
    facts: dict[str, Any]

    @property
    def history(self) -> str:
        """How it was trained, for a model card."""
        f = self.facts
        return f"preset `{f['preset']}`, {f['samples']:,} examples, {f['seconds'] / 3600:.2f} h"


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise PackError(f"{path}: no such checkpoint; give the checkpoint.pt of a run") from None
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PackError(f"{path}: not a checkpoint of {what} ({first})") from error


def _halved(network: nn.Module) -> nn.Module:
    """Round every weight to what half precision can hold, as the pack stores it so."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return network.eval().requires_grad_(False)


def _first(error: Exception) -> str:
    """The first line of what torch has to say, which can be many."""
    return (str(error).splitlines() or [""])[0].rstrip(": ")


def read_notes(path: Path) -> Trained:
    """Open `checkpoint.pt` of a run of the notes stage.

    Raises
    ------
    PackError
        When the file is missing or is no such checkpoint.
    """
    from training.nets.notes import NotesConfig, NotesNet

    state = _read(path, "the notes stage")
    try:
        network = NotesNet(NotesConfig(**json.loads(state["network"])))
        network.load_state_dict(state["ema"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise PackError(f"{path}: not a checkpoint of the notes stage ({_first(error)})") from error
    return Trained(_halved(network), state)


def read_sound(path: Path) -> Trained:
    """Open `checkpoint.pt` of a run of the sound stage.

    Raises
    ------
    PackError
        When the file is missing or is no such checkpoint.
    """
    from training.edm import Preconditioned
    from training.nets.columns import Columns, ColumnsConfig

    state = _read(path, "the sound stage")
    try:
        config = ColumnsConfig.from_dict(json.loads(state["network"]))
        floor = json.loads(state["spectrogram"])["floor"]
        network = Preconditioned(Columns(config, state["mean"].numpy(), state["scale"], floor))
        network.load_state_dict(state["ema"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise PackError(f"{path}: not a checkpoint of the sound stage ({_first(error)})") from error
    return Trained(_halved(network), state)


class NotesContext(nn.Module):
    """past [1, 352, tokens] and the controls -> keys, values, recent past, condition."""

    INPUTS = ("past", "harmony", "register", "density", "loudness", "style", "held")

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        layers = network.config.layers
        self.names = [f"{kind}{i}" for i in range(layers) for kind in ("key", "value")]
        self.names += ["recent", "condition"]

    def example(self) -> dict[str, Tensor]:
        """Inputs of the right shapes."""
        shapes = {"harmony": 13, "held": PITCHES}
        controls = {name: torch.zeros(1, shapes.get(name, 2)) for name in self.INPUTS[1:]}
        return {"past": 0.1 * torch.randn(1, ROWS, CONTEXT_TOKENS), **controls}

    def forward(
        self,
        past: Tensor,
        harmony: Tensor,
        register: Tensor,
        density: Tensor,
        loudness: Tensor,
        style: Tensor,
        held: Tensor,
    ) -> tuple[Tensor, ...]:
        """Answer the tensors in the order of `names`."""
        clean = past.transpose(1, 2)
        n = clean.shape[1]
        told = torch.cat(
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
        out = [t for pair in self.network.keys(self.network.past(clean)) for t in pair]
        condition = self.network.condition(told)[:, None]
        return (*out, recent.reshape(1, 1, PITCHES, 2 * CHANNELS), condition)


def _scaled(control: Tensor, value: Tensor) -> Tensor:
    """A control's value in the network's scale, 0 where it is not given, and whether it is."""
    given = control[:, 1:]
    return torch.cat([value * given, given], dim=1)


class NotesStep(nn.Module):
    """x [1, 352, block], alpha, sigma and the context's tensors -> x0, the posterior mean."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def example(self) -> Tensor:
        """x of the right shape."""
        return torch.randn(1, ROWS, self.network.config.block)

    def forward(self, x: Tensor, alpha: Tensor, sigma: Tensor, *context: Tensor) -> Tensor:
        """One evaluation; alpha and sigma are [1]."""
        from training.nets.notes import posterior

        block = self.network.config.block
        *pairs, recent, condition = context
        keys = list(zip(pairs[0::2], pairs[1::2], strict=True))
        level = (sigma / alpha).clamp(_LOWEST_LEVEL, _HIGHEST_LEVEL)
        level = level.reshape(1, 1, 1).expand(1, block, 1)
        noised = (x / alpha.reshape(1, 1, 1)).transpose(1, 2)
        positions = torch.arange(CONTEXT_TOKENS, CONTEXT_TOKENS + block)
        beliefs = self.network.denoise(noised, level, condition, keys, recent, positions)
        return posterior(beliefs, noised, level).mean().transpose(1, 2)


class SoundContext(nn.Module):
    """notes [1, 352, tokens], past [1, bins, columns], present, controls -> the step's tensors."""

    INPUTS = ("notes", "past", "present", "instrument", "room", "brightness")

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            self.names = sorted(network.net.context(*self.example().values()))

    def example(self) -> dict[str, Tensor]:
        """Inputs of the right shapes."""
        config = self.network.net.config
        controls = {name: torch.zeros(1, 2) for name in self.INPUTS[3:]}
        return {
            "notes": torch.full((1, ROWS, config.tokens), -1.0),
            "past": 0.1 * torch.randn(1, config.bins, config.past),
            "present": torch.ones(1),
            **controls,
        }

    def forward(self, *heard: Tensor) -> tuple[Tensor, ...]:
        """Answer the tensors in the order of `names`; what is heard is in that of `INPUTS`."""
        out = self.network.net.context(*heard)
        return tuple(out[name] for name in self.names)


class SoundStep(nn.Module):
    """x [1, bins, frames], alpha, sigma and the context's tensors -> x0."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def example(self) -> Tensor:
        """x of the right shape."""
        config = self.network.net.config
        return torch.randn(1, config.bins, config.frames)

    def forward(self, x: Tensor, alpha: Tensor, sigma: Tensor, *context: Tensor) -> Tensor:
        """One evaluation; alpha and sigma are [1]."""
        level = (sigma / alpha).clamp(1e-4, 1e4)
        tensors = dict(zip(self.names, context, strict=True))
        return self.network.denoise(x / alpha[:, None, None], level, tensors)
