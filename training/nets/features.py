"""Features of spectrogram columns from a roll of notes, computed from physics, without weights.

A struck key rings with an exponential decay until its damper falls, and a strike enters the
analysis window before it reaches the window's middle. So each pitch gets, at each column of the
spectrogram, its strikes weighted by the window and decaying envelopes, each for a strike of
strength one and for one of the strike's velocity. All of it is matrix products and sums over time,
so it exports as plain operators.

Rolls are [batch, 352, tokens] as in engine/representations/roll.py; a token is eight columns.
Columns are uncentred: column n covers the samples n * hop to n * hop + window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.notes.note import LOWEST, PITCHES
from engine.representations.roll import CHANNELS

TOKEN = 8  # columns
HALF = TOKEN // 2
RINGS = (0.15, 0.8, 4.0)  # seconds in which a string decays to 1/e; three cover attack to sustain
ROOM = 0.2  # seconds: how a damped note dies in a reverberant room
PARTIALS = 2 * (1 + len(RINGS)) + 1  # non-negative features of each pitch
FEATURES = PARTIALS + 1  # with whether the key sounds
_UNDAMPED = 90  # from F#6 up a piano has no dampers
_RANGE = 60.0  # of exponents, within float32


class NoteFeatures(nn.Module):
    """Features of the last columns that a roll covers before its lookahead.

    Parameters
    ----------
    tokens : tokens in a roll, history, block and lookahead together.
    ahead : tokens of lookahead at the end.
    columns : how many columns to return, ending where the lookahead begins.
    seconds : length of a column (hop / rate).
    overlap : window / hop, the columns that cover one sample.
    """

    kernels: Tensor
    strike: Tensor
    damping: Tensor
    room: Tensor
    places: Tensor

    def __init__(
        self, tokens: int, ahead: int, columns: int, seconds: float, overlap: int = 4
    ) -> None:
        super().__init__()
        self.end = (tokens - ahead) * TOKEN
        self.columns = columns
        since = torch.arange(self.end - columns, self.end) - torch.arange(tokens * TOKEN)[:, None]
        since = since.float()  # [from, to]: columns since the strike, negative ahead of it
        decays = [torch.exp(-since.clamp(min=0) * seconds / ring) for ring in RINGS]
        self.register_buffer("kernels", torch.stack(decays) * (since >= 0), persistent=False)
        inside = (since < 0) & (since > -overlap)
        turn = (1 + since / overlap) * inside  # how much of the window lies after the strike
        ramp = (turn - torch.sin(2 * math.pi * turn) / (2 * math.pi)) * inside  # Hann, integrated
        hann = torch.sin(math.pi * (since - 0.5).clamp(-overlap, 0) / overlap).square()
        self.register_buffer("strike", torch.stack([hann, ramp]), persistent=False)
        pitch = torch.arange(PITCHES) + LOWEST
        falls = 0.07 - 0.04 * torch.arange(PITCHES) / (PITCHES - 1)  # bass strings ring longer
        rates = torch.where(pitch < _UNDAMPED, seconds / falls, torch.zeros(()))
        self.register_buffer("damping", rates[:, None], persistent=False)
        slow = torch.where(pitch < _UNDAMPED, seconds / ROOM, 0.0)
        self.register_buffer("room", slow[:, None], persistent=False)
        self.register_buffer("places", torch.arange(TOKEN + 1).float(), persistent=False)

    def forward(self, roll: Tensor) -> Tensor:
        """Return [batch, columns, FEATURES * 88], the PARTIALS of all pitches first."""
        b, _, tokens = roll.shape
        onset, position, middle, end = roll.reshape(b, CHANNELS, PITCHES, tokens).unbind(1)
        hit = (onset + 1).clamp(0, 1)
        struck = self._rasterised(
            torch.stack([hit, hit * functional.relu(onset - 0.5)], 1), position
        )
        halves = torch.stack([middle, end], -1).reshape(b, PITCHES, 2 * tokens)
        sounding = ((halves + 1) / 2).clamp(0, 1).repeat_interleave(HALF, dim=-1)
        window = slice(self.end - self.columns, self.end)
        ramp = struck @ self.strike[1]
        parts = [struck @ self.strike[0]]
        fallen = torch.cumsum((1 - sounding) * self.damping, -1)
        parts += [self._ringing(struck, fallen, k, window) + ramp for k in self.kernels]
        fallen = torch.cumsum((1 - sounding) * self.room, -1)
        parts.append(self._ringing(struck[:, 1:], fallen, self.kernels[-1], window))
        parts.append(sounding[:, None, :, window])
        return torch.cat(parts, 1).flatten(1, 2).transpose(1, 2)

    def _rasterised(self, strength: Tensor, position: Tensor) -> Tensor:
        """[batch, kinds, 88, tokens] -> [batch, kinds, 88, columns], between two columns each."""
        place = HALF * (position + 1)
        spread = functional.relu(1 - (place[..., None] - self.places).abs())
        cells = strength[..., None] * spread[:, None]
        spilled = functional.pad(cells[..., :-1, TOKEN:], (0, TOKEN - 1, 1, 0))
        return (cells[..., :TOKEN] + spilled).flatten(3)

    def _ringing(self, struck: Tensor, fallen: Tensor, kernel: Tensor, window: slice) -> Tensor:
        """Sum of the strikes that still ring.

        A strike at c' is damped at c by exp(fallen[c'] - fallen[c]), which is a product: no pairs.
        """
        here = fallen[..., window]
        since = (fallen - here[..., :1]).clamp(-_RANGE, _RANGE)
        here = (here - here[..., :1]).clamp(-_RANGE, _RANGE)
        return ((struck * since.exp()[:, None]) @ kernel) * (-here).exp()[:, None]
