"""Read training checkpoints, weights only: nothing in the file is executed."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import PackError
from export.wrap import rounded


@dataclass(frozen=True)
class Trained:
    """The averaged network of a checkpoint, ready to export, and what the file says about it."""

    network: nn.Module
    facts: dict[str, Any]

    @property
    def history(self) -> str:
        """How it was trained, for a model card."""
        f = self.facts
        return f"preset `{f['preset']}`, {f['samples']:,} examples, {f['seconds'] / 3600:.2f} h"

    @property
    def size(self) -> str:
        """How many parameters it has, for a model card."""
        return f"{sum(p.numel() for p in self.network.parameters()) / 1e6:.1f} M parameters"


def read_checkpoint(path: Path, what: str, build: Callable[[dict[str, Any]], nn.Module]) -> Trained:
    """Open `checkpoint.pt` of a training run.

    Parameters
    ----------
    what : whose checkpoint it should be, for messages, such as "the notes stage".
    build : makes the network with fresh weights from what the file says.

    Raises
    ------
    PackError
        When the file is missing, is no such checkpoint, or holds anything but weights and numbers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of foreign pickles; refused just below
            state = torch.load(path, map_location="cpu", weights_only=True)
        network = build(state)
        network.load_state_dict(state["ema"])
    except FileNotFoundError:
        raise PackError(f"{path}: no such checkpoint. Use the checkpoint.pt of a run.") from None
    except (
        pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError,
    ) as error:  # fmt: skip
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(": ")
        raise PackError(f"{path}: not a checkpoint of {what} ({first})") from error
    return Trained(rounded(network), state)
