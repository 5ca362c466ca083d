"""A run's averaged weights as a file without pickle: `python -m training.weights runs/beats
training/runs/beat-grid`.

Writes `weights.npz` (float16 arrays by the names of the network's state), `config.json` (the
checkpoint's numbers and strings) and the run's `log.csv`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.run import read_checkpoint

_WEIGHTS, _CONFIG, _LOG = "weights.npz", "config.json", "log.csv"


def write_weights(run: Path, out: Path) -> None:
    """Write the averaged weights of the run's last checkpoint into folder `out`.

    Raises
    ------
    FileNotFoundError
        When the run's folder holds no checkpoint.
    """
    state = read_checkpoint(run)
    if state is None:
        raise FileNotFoundError(f"{run}: no checkpoint.pt. Use the folder of a run.")
    out.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {name: t.half().numpy() for name, t in state["ema"].items()}
    np.savez_compressed(out / _WEIGHTS, **arrays)
    plain: dict[str, Any] = {k: v for k, v in state.items() if isinstance(v, int | float | str)}
    plain["network"] = json.loads(plain["network"])
    plain["hours"] = round(plain.pop("seconds") / 3600, 3)
    (out / _CONFIG).write_text(json.dumps(plain, indent=1) + "\n")
    if (run / _LOG).is_file():
        shutil.copyfile(run / _LOG, out / _LOG)


def read_weights(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The network's sizes and its averaged weights, from a run's folder or from a written one.

    Raises
    ------
    FileNotFoundError
        When the folder holds neither a checkpoint nor weights.
    """
    state = read_checkpoint(folder)
    if state is not None:
        return json.loads(state["network"]), state["ema"]
    if not (folder / _WEIGHTS).is_file():
        raise FileNotFoundError(
            f"{folder}: no checkpoint.pt and no {_WEIGHTS}. "
            "Train with 'python -m training.train beats'."
        )
    with np.load(folder / _WEIGHTS) as file:
        weights = {name: torch.from_numpy(file[name]).float() for name in file.files}
    return json.loads((folder / _CONFIG).read_text())["network"], weights


def main() -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(prog="python -m training.weights", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run, with checkpoint.pt")
    parser.add_argument("out", type=Path, help="folder to write into")
    options = parser.parse_args()
    write_weights(options.run, options.out)


if __name__ == "__main__":
    main()
