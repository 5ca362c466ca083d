"""`python -m export CHECKPOINT --out packs/NAME`: a trained checkpoint in, a playing pack out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import AttaccaError
from export.checkpoint import read_checkpoint
from export.pack import Card, write_pack

PIANO_CREDITS = (
    "Piano samples: Salamander Grand Piano V3 by Alexander Holm "
    "(archive.org/details/SalamanderGrandPianoV3), CC BY 3.0, resampled and trimmed.",
    "Upright Piano KW (FreePats), CC0.",
    "GiantMIDI-Piano, Q. Kong, B. Li, J. Chen, Y. Wang, CC BY 4.0.",
    "POP909, (c) 2020 Music X Lab, MIT.",
    "First Editions of Fryderyk Chopin's Music, (c) 2017-2021 The Fryderyk Chopin Institute "
    "(nifc.pl), chopinscores.org, CC BY 4.0.",
)


def main() -> int:
    """Parse the command line and export. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument(
        "--out", type=Path, required=True, help="the pack's folder, named as the pack"
    )
    parser.add_argument("--title", default="Endless piano")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--licence", default="CC-BY-4.0")
    parser.add_argument("--credit", action="append", help="a line of credit; may be repeated")
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
    parser.add_argument("--transcription", type=Path, help="basic-pitch's ONNX graph, to listen")
    a = parser.parse_args()
    card = Card(
        a.out.name, a.title, a.version, a.licence, tuple(a.credit or PIANO_CREDITS), a.sampler,
        a.steps, a.min_steps, a.temperature,
        {"sigma_min": a.sigma_min, "sigma_max": a.sigma_max, "rho": a.rho},
        a.card.read_text() if a.card else "",
    )  # fmt: skip
    try:
        worst = (
            _cascade(a, card) if a.notes else write_pack(read_checkpoint(a.checkpoint), card, a.out)
        )
    except AttaccaError as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
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
