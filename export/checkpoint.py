"""Read a training checkpoint, weights only: nothing in the file is executed."""

from __future__ import annotations

import json
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engine.errors import PackError


@dataclass(frozen=True)
class Checkpoint:
    """What an export needs: the EMA network in eval mode, its spectrogram, and how far it got."""

    denoiser: nn.Module
    spectrogram: dict[str, float]
    mean: np.ndarray
    scale: float
    preset: str
    samples: int
    hours: float


def read_checkpoint(path: Path) -> Checkpoint:
    """Open `checkpoint.pt` of a run of the piano system.

    Raises
    ------
    PackError
        When the file is missing, no checkpoint, or holds anything but weights and numbers.
    """
    from training.edm import Denoiser
    from training.nets.unet import UNetConfig

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of foreign pickles; refused just below
            state = torch.load(path, map_location="cpu", weights_only=True)
        config = UNetConfig.from_dict(json.loads(state["network"]))
        denoiser = Denoiser(config)
        denoiser.load_state_dict(state["ema"])
        return Checkpoint(
            denoiser.eval().requires_grad_(False),
            json.loads(state["spectrogram"]),
            state["mean"].numpy().astype(np.float32),
            float(state["scale"]),
            str(state["preset"]),
            int(state["samples"]),
            float(state["seconds"]) / 3600,
        )
    except FileNotFoundError:
        raise PackError(f"{path}: no such checkpoint; give the checkpoint.pt of a run") from None
    except (
        pickle.UnpicklingError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
    ) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PackError(f"{path}: not a checkpoint of the piano system ({first})") from error
