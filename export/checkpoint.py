"""Read training checkpoints, weights only: nothing in the file is executed."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import torch

from engine.errors import PackError
from export.wrap import ModuleT, rounded


@dataclass(frozen=True)
class Trained(Generic[ModuleT]):
    """The averaged network of a checkpoint, ready to export, and the file's other entries."""

    network: ModuleT
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


def read_checkpoint(
    path: Path, what: str, build: Callable[[dict[str, Any]], ModuleT]
) -> Trained[ModuleT]:
    """Open `checkpoint.pt` of a training run.

    Parameters
    ----------
    what : the stage that it should belong to, for messages, such as "the notes stage".
    build : returns the network with fresh weights, from the file's entries.

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
        raise PackError(f"{path}: no such file. Use the checkpoint.pt of a run.") from None
    except (
        pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError,
    ) as error:  # fmt: skip
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(": ")
        raise PackError(f"{path}: not a checkpoint of {what} ({first})") from error
    return Trained(rounded(network), state)
