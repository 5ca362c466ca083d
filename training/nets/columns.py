"""The sound stage's network: a block of spectrogram columns from notes and the columns before.

Convolutions over time with the bins as channels (ConvNeXt blocks, Liu et al. 2022, in one
dimension): matrix products, which a CPU does fast. Before them stands a physical front: each key's
features (training/nets/features.py) times a dictionary of non-negative spectra, summed, as in
non-negative matrix factorisation; its logarithm is a first guess of the block, which the trunk
corrects.

Blocks are [batch, bins, frames], normalised; inside, activations are [batch, columns, channels].
A window is the past's columns and then the block's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.notes.note import LOWEST, PITCHES
from engine.sampling.parameterisation import SIGMA_DATA
from export.wrap import StageNetwork
from training.nets.features import FEATURES, PARTIALS, TOKEN, NoteFeatures
from training.nets.layers import Fourier
from training.nets.module_list import Modules
from training.nets.sizes import Sizes

STYLES = ("instrument", "room", "brightness")
_SPEED = 16.0  # how much faster than other weights the dictionary's logarithms may move


@dataclass(frozen=True)
class ColumnsConfig(Sizes):
    """Sizes. `history` and `ahead` are tokens before and after the block's, the rest columns."""

    rate: int = 24000
    hop: int = 256
    bins: int = 512
    frames: int = 64
    past: int = 16
    history: int = 64
    ahead: int = 1
    width: int = 448
    hidden: int = 832
    dilations: tuple[int, ...] = (1, 1, 2, 1, 2, 4, 1)
    kernel: int = 7
    embedding: int = 64

    @property
    def tokens(self) -> int:
        """Tokens in a roll: history, block and lookahead."""
        return self.history + self.frames // TOKEN + self.ahead


class Front(nn.Module):
    """Magnitudes add: ln(features @ spectra + floor), normalised as the data is."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: ColumnsConfig, mean: np.ndarray, scale: float, floor: float) -> None:
        super().__init__()
        self.logarithms = nn.Parameter(_harmonics(config).repeat(PARTIALS, 1) / _SPEED)
        self.floor = nn.Parameter(torch.full((config.bins,), float(np.log(floor))))
        self.tone = nn.Linear(2 * len(STYLES), config.bins, bias=False)
        nn.init.zeros_(self.tone.weight)
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(float(scale)))

    def forward(self, partials: Tensor, style: Tensor) -> Tensor:
        """[batch, columns, PARTIALS * 88] and [batch, 6] -> [batch, columns, bins]."""
        magnitude = partials @ (_SPEED * self.logarithms).exp() + self.floor.exp()
        return (magnitude.log() - self.mean) / self.scale + self.tone(style)[:, None]


def _harmonics(config: ColumnsConfig) -> Tensor:
    """ln of a plain string's spectrum for every pitch [88, bins]: where the dictionary begins."""
    pitch = np.arange(PITCHES) + LOWEST
    first = 440 * 2 ** ((pitch - 69) / 12)
    stiffness = 4e-4 * np.exp(0.05 * (pitch - 60))
    bins = np.arange(config.bins)
    hertz = config.rate / (2 * config.bins)
    spectrum = np.full((PITCHES, config.bins), 1e-3)
    for k in range(1, 60):
        at = first * k * np.sqrt(1 + stiffness * k**2) / hertz
        lobe = np.maximum(1 - abs(bins - at[:, None]) / 2, 0)  # a Hann window's
        spectrum += lobe / k
    spectrum *= np.exp(-bins * hertz / 1500)
    return torch.from_numpy(np.log(2 * spectrum + 1e-5)).float()


class Layer(nn.Module):
    """ConvNeXt block over time: a depthwise convolution, then a perceptron on normalised columns.

    Scale and shift between them come from the embedding of noise level and style.
    """

    def __init__(self, config: ColumnsConfig, dilation: int) -> None:
        super().__init__()
        c, k = config.width, config.kernel
        pad = dilation * (k // 2)
        self.time = nn.Conv2d(c, c, (1, k), padding=(0, pad), dilation=(1, dilation), groups=c)
        self.modulate = nn.Linear(config.embedding, 2 * c)
        self.up = nn.Linear(c, config.hidden)
        self.down = nn.Linear(config.hidden, c)
        for layer in (self.modulate, self.down):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        y = self.time(x.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)
        scale, shift = self.modulate(embedding)[:, None].chunk(2, dim=-1)
        y = torch.addcmul(shift, _norm(y), 1 + scale)
        return x + self.down(functional.gelu(self.up(y)))


def _norm(x: Tensor) -> Tensor:
    """Zero mean and unit variance over channels."""
    return functional.layer_norm(x, x.shape[-1:])


class Columns(StageNetwork):
    """F_theta of EDM: noised block, c_noise and the context's tensors -> raw output, same shape.

    Parameters
    ----------
    config : sizes.
    mean, scale, floor : how the data is normalised, x = (ln(magnitude + floor) - mean) / scale.
    """

    def __init__(
        self,
        config: ColumnsConfig,
        mean: np.ndarray | None = None,
        scale: float = 1.0,
        floor: float = 0.02,
    ) -> None:
        super().__init__()
        self.config = config
        c = config.width
        self.features = NoteFeatures(
            config.tokens, config.ahead, config.past + config.frames, config.hop / config.rate,
            2 * config.bins // config.hop,
        )  # fmt: skip
        mean = np.zeros(config.bins) if mean is None else mean
        self.front = Front(config, mean, scale, floor)
        self.notes = nn.Linear(FEATURES * PITCHES, c)
        self.guess = nn.Linear(config.bins, c)
        self.columns = nn.Linear(config.bins, c)  # the past's, and the block's in its place
        self.flags = nn.Parameter(torch.zeros(2, c))  # no past, the past's place
        self.fourier = Fourier(32)
        self.embed = nn.Sequential(
            nn.Linear(32 + 2 * len(STYLES), 2 * config.embedding), nn.SiLU(),
            nn.Linear(2 * config.embedding, config.embedding), nn.SiLU(),
        )  # fmt: skip
        self.layers = Modules(Layer(config, d) for d in config.dilations)
        self.out = nn.Linear(c, config.bins)
        self.near = nn.Conv2d(config.bins, config.bins, (1, 3), padding=(0, 1), groups=config.bins)
        self.gains = nn.Linear(config.embedding, 2 * config.bins)
        for layer in (self.out, self.near, self.gains):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def context(
        self,
        roll: Tensor,
        past: Tensor,
        present: Tensor,
        instrument: Tensor,
        room: Tensor,
        brightness: Tensor,
    ) -> dict[str, Tensor]:
        """The tensors that all steps of a block share.

        Parameters
        ----------
        roll : [batch, 352, tokens], history, block and lookahead.
        past : [batch, bins, past], the columns before the block; `present` [batch] is 1 where
            there are such, else 0.
        instrument, room, brightness : [batch, 2], a value and 1 where it is set, else 0.

        Returns
        -------
        window [batch, past + frames, width], guess [batch, frames, bins], style [batch, 6]
        """
        p = self.config.past
        style = torch.cat([instrument, room, brightness], -1)
        style = torch.cat([style[:, 0::2] * style[:, 1::2], style[:, 1::2]], -1)
        features = self.features(roll)
        guess = self.front(features[..., : PARTIALS * PITCHES], style)
        here = present[:, None, None]
        before = self.columns(past.transpose(1, 2) * here) + self.flags[1]
        before = before + (1 - here) * self.flags[0]
        window = self.notes(features) + self.guess(guess)
        window = torch.cat([window[:, :p] + before, window[:, p:]], 1)
        return {"window": window, "guess": guess[:, p:], "style": style}

    def forward(self, x: Tensor, noise: Tensor, context: dict[str, Tensor]) -> Tensor:
        p = self.config.past
        embedding = self.embed(torch.cat([self.fourier(noise), context["style"]], -1))
        window = context["window"]
        y = torch.cat([window[:, :p], window[:, p:] + self.columns(x.transpose(1, 2))], 1)
        for layer in self.layers:
            y = layer(y, embedding)
        y = self.out(_norm(y[:, p:])).transpose(1, 2)
        near, first = self.gains(embedding)[..., None].chunk(2, dim=1)
        y = y + (1 + near) * self.near(x[:, :, None])[:, :, 0]
        # As much of the guess as the best mixture of it with x would hold (Eq. 24, solved for F).
        sigma = (4 * noise).exp()
        share = sigma / (SIGMA_DATA * (sigma**2 + SIGMA_DATA**2).sqrt())
        return y + (1 + first) * share[:, None, None] * context["guess"].transpose(1, 2)
