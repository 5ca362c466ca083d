"""Options that several verbs share, made from the table of controls, checked as they are read.

Imported with the parser: the standard library and the tables of the engine only. A value out of
range raises ConfigError, which quotes it and names the bounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.arguments import checked_latency
from engine.notes.note_names import harmony
from engine.params import HARMONY, PARAMS, Param, Value, param

__all__ = [
    "add_pack",
    "add_playing",
    "add_target",
    "checked",
    "chosen",
]

# How much of a block is kept follows from the latency, so the command line does not ask for it.
# The twelve of harmony are one option, written as note names.
BLOCK_CONTROLS = tuple(
    p for p in PARAMS if p.when == "block" and p.name not in ("stride", *HARMONY)
)
_THREADS = Param("threads", "int", 1, "block", "Processor threads of the network.", 1, 256)


def checked(control: Param) -> Callable[[str], Value]:
    """What argparse calls to turn an option's text into a value of `control`."""

    def read(text: str) -> Value:
        return control.check(text)

    read.__name__ = control.name
    return read


def add_pack(parser: argparse.ArgumentParser) -> None:
    """`--pack`."""
    parser.add_argument(
        "--pack", default="piano", metavar="NAME", help="a pack's name or folder (piano)"
    )


def add_playing(parser: argparse.ArgumentParser) -> None:
    """What `play` and `render` have in common: the pack, the controls, the past."""
    add_pack(parser)
    for control in BLOCK_CONTROLS:
        _add_control(parser, control)
    _add_control(parser, param("gain"))
    parser.add_argument(
        "--harmony", type=harmony, metavar="NOTES",
        help="pitch classes to play in, such as 'C E G'; free by default",
    )  # fmt: skip
    parser.add_argument(
        "--latency", type=checked_latency, default="default", metavar="SECONDS|default|jam",
        help="lead and block: a turned control is heard after it; default 2.9 s, jam 0.9 s",
    )  # fmt: skip
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument(
        "--seed-audio", type=Path, metavar="FILE",
        help="play this recording's end and go on from it",
    )  # fmt: skip
    beginning.add_argument(
        "--seed-midi", type=Path, metavar="FILE",
        help="play the end of this MIDI file and go on from it",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=checked(_THREADS), metavar="N",
        help="processor threads of the network; by default all cores but one",
    )  # fmt: skip
    add_target(parser)


def add_target(parser: argparse.ArgumentParser) -> None:
    """`--target`."""
    parser.add_argument(
        "--target", default="cpu", metavar="NAME",
        help="where the network runs: cpu, cuda, tensorrt, openvino or coreml (cpu); "
        "'attacca doctor' lists what this ONNX Runtime offers",
    )  # fmt: skip


_METAVARS = {"int": "N", "float": "X", "choice": "NAME"}


def _add_control(parser: argparse.ArgumentParser, control: Param) -> None:
    own = "; the pack's own by default" if control.name in ("steps", "sampler") else ""
    if control.name == "seed":
        own = "; a new one each time by default, which is shown"
    parser.add_argument(
        f"--{control.name}", type=checked(control), metavar=_METAVARS[control.kind],
        choices=control.choices or None,
        help=f"{control.about.rstrip('.')} ({control.span()}{own})",
    )  # fmt: skip


def chosen(args: argparse.Namespace, new_seed: Callable[[], int]) -> dict[str, Value]:
    """The controls that were given, and a new seed if none was: for `Instrument(**controls)`."""
    names = [p.name for p in (*BLOCK_CONTROLS, param("gain"))]
    given = {n: getattr(args, n) for n in names if getattr(args, n) is not None}
    return {"seed": new_seed(), **given, **(args.harmony or {})}
