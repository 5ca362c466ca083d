"""`python -m export CHECKPOINT --out packs/NAME`: a trained checkpoint in, a playing pack out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import AttaccaError, ConfigError, StorageError
from export.checkpoint import read_checkpoint
from export.pack import Card, write_pack

__all__ = ["main", "run"]


class _Parser(argparse.ArgumentParser):
    """argparse, with one line for an error instead of a page."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise ConfigError(f"{' '.join(message.split())}; see '{self.prog} --help'")


def main() -> int:
    """Export as the command line says. Returns the exit status."""
    try:
        return run(sys.argv[1:], "python -m export")
    except (AttaccaError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


def run(arguments: Sequence[str], program: str) -> int:
    """Export as `arguments` say. Returns the exit status.

    Raises
    ------
    ConfigError, PackError, StorageError
        In one line.
    """
    parser = _Parser(prog=program, description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument(
        "--out", type=Path, required=True, help="the pack's folder, named as the pack"
    )
    parser.add_argument("--title", required=True, help="one line that says what the pack is")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument(
        "--licence", required=True, metavar="SPDX", help="of the weights, such as CC-BY-4.0"
    )
    parser.add_argument(
        "--credit", action="append", required=True, metavar="LINE",
        help="whose data it is trained on, and its licence; may be repeated",
    )  # fmt: skip
    parser.add_argument("--sampler", default="dpmpp_2m")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--min-steps", type=int, default=4)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--sigma-max", type=float, default=80.0)
    parser.add_argument("--sigma-min", type=float, default=0.002)
    parser.add_argument("--rho", type=float, default=7.0)
    parser.add_argument("--card", type=Path, help="Markdown to put into the model card")
    parser.add_argument(
        "--notes", type=Path, metavar="CHECKPOINT",
        help="of the notes stage: the checkpoint is then the sound stage of a cascade",
    )  # fmt: skip
    parser.add_argument("--notes-sampler", default="ddim")
    parser.add_argument("--notes-steps", type=int, default=16)
    parser.add_argument("--notes-min-steps", type=int, default=8)
    parser.add_argument("--notes-temperature", type=float, default=1.0)
    parser.add_argument("--notes-guidance", type=float, default=1.0)
    parser.add_argument("--notes-sigma-max", type=float, default=8.0)
    parser.add_argument("--notes-sigma-min", type=float, default=0.15)
    parser.add_argument("--notes-rho", type=float, default=5.0)
    parser.add_argument(
        "--transcription",
        type=Path,
        help="an ONNX graph that turns sound into notes; basic-pitch's is credited by itself",
    )
    a = parser.parse_args(arguments)
    try:
        about = a.card.read_text("utf-8") if a.card else ""
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"--card {a.card} cannot be read: {error}") from error
    card = Card(
        a.out.name, a.title, a.licence, tuple(a.credit), a.version, a.sampler,
        a.steps, a.min_steps, a.temperature,
        {"sigma_min": a.sigma_min, "sigma_max": a.sigma_max, "rho": a.rho}, about,
    )  # fmt: skip
    worst = _cascade(a, card) if a.notes else write_pack(read_checkpoint(a.checkpoint), card, a.out)
    size = sum(f.stat().st_size for f in a.out.iterdir()) / 1e6
    print(f"{a.out}: {size:.1f} MB, worst step differs from torch by {worst:.1e} of its deviation")
    return 0


def _cascade(a: argparse.Namespace, card: Card) -> float:
    from export.cascade import read_notes, read_sound
    from export.cascade_pack import StageCard, write_cascade

    notes = StageCard(
        a.notes_sampler, a.notes_steps, a.notes_min_steps, a.notes_temperature, a.notes_guidance,
        {"sigma_min": a.notes_sigma_min, "sigma_max": a.notes_sigma_max, "rho": a.notes_rho},
    )  # fmt: skip
    sound = StageCard(
        a.sampler, a.steps, a.min_steps, a.temperature, 1.0, dict(card.schedule_options)
    )
    return write_cascade(
        read_notes(a.notes), read_sound(a.checkpoint), card, (notes, sound), a.transcription, a.out
    )


if __name__ == "__main__":
    raise SystemExit(main())
