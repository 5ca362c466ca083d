"""Train a recipe: `python -m training.train notes --data data/notes --out runs/notes
--samples 68000`.

Several processes share a run under torchrun (`torchrun --nproc-per-node 2 -m training.train ...`).
Stopping is safe at any moment: the same command continues from the last checkpoint. `--samples` is
the length of the whole run over all legs; the learning rate and the averaged weights follow it.
`--hours` only ends a leg early.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import distributed as dist
from torch import nn

from training.recipes import NAMES, find_recipe
from training.run import Run, on_one_thread, read_checkpoint

_SEED = 1  # of the first weights


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    recipe = find_recipe(options.recipe)
    name = options.preset or next(iter(recipe.presets))
    if name not in recipe.presets:
        sys.exit(
            f"train: Recipe {options.recipe!r} has no preset {name!r}. Choose one of "
            f"{', '.join(recipe.presets)}."
        )
    device = _device(options.device)
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        run = _run(options, name, device)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"train: {error}")
    run.go(options.save_minutes, options.hours)
    if dist.is_initialized():
        dist.destroy_process_group()


def _run(options: argparse.Namespace, name: str, device: str) -> Run[nn.Module]:
    if device == "cpu":
        on_one_thread()
    torch.manual_seed(_SEED)
    recipe = find_recipe(options.recipe)
    preset = recipe.presets[name]
    task = recipe.task(preset, name, options.data, read_checkpoint(options.out))
    schedule = preset.schedule
    if options.bfloat16 is not None:
        schedule = replace(schedule, bfloat16=options.bfloat16)
    return Run(
        task, task.network(), options.out, options.samples, schedule, device,
        options.micro_batch,
    )  # fmt: skip


def _device(name: str) -> str:
    """The device of this process: of several on one machine each has a GPU of its own."""
    several = name == "cuda" and "LOCAL_RANK" in os.environ
    return f"cuda:{os.environ['LOCAL_RANK']}" if several else name


def _parser() -> argparse.ArgumentParser:
    recipes = "; ".join(f"{name}: {find_recipe(name).about}" for name in NAMES)
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("recipe", choices=NAMES, help=recipes)
    parser.add_argument("--preset", help="a preset of the recipe; by default its first")
    data = "; ".join(f"{name}: {find_recipe(name).data}" for name in NAMES)
    parser.add_argument("--data", type=Path, required=True, help=f"a folder built by ({data})")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument(
        "--samples", type=int, required=True, help="length of the whole run, over all legs"
    )
    parser.add_argument("--hours", type=float, help="stop this leg after so many hours")
    parser.add_argument("--save-minutes", type=float, default=5.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--bfloat16", action=argparse.BooleanOptionalAction,
        help="compute the network in bfloat16; by default the preset decides",
    )  # fmt: skip
    parser.add_argument(
        "--micro-batch", type=int, metavar="N",
        help="examples computed at once; by default a step's, divided among the processes",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
