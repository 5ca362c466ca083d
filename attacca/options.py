"""Options that several verbs share, made from the table of controls, checked as they are read.

Imported with the parser: standard library and `engine.params` only. A value out of range raises
ConfigError, which quotes it and names the bounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.errors import ConfigError
from engine.params import HARMONY, LATENCIES, PARAMS, PITCH_CLASSES, Param, Value, param

__all__ = [
    "add_pack",
    "add_playing",
    "checked",
    "chosen",
    "harmony",
    "latency",
]

# How much of a block is kept follows from the latency, so the command line does not ask for it.
# The twelve of harmony are one option, written as note names.
BLOCK_CONTROLS = tuple(
    p for p in PARAMS if p.when == "block" and p.name not in ("stride", *HARMONY)
)
_THREADS = Param("threads", "int", 1, "block", "Processor threads of the network.", 1, 256)
_LATENCY = Param(
    "latency", "float", LATENCIES["default"], "block", "", 0.05, 60.0, "s, or default, or jam"
)


def checked(control: Param) -> Callable[[str], Value]:
    """What argparse calls to turn an option's text into a value of `control`."""

    def read(text: str) -> Value:
        return control.check(text)

    read.__name__ = control.name
    return read


def latency(text: str) -> float:
    """Seconds from the text of `--latency`.

    Raises
    ------
    ConfigError
        Neither a number in range nor the name of a profile.
    """
    return LATENCIES[text] if text in LATENCIES else float(_LATENCY.check(text))


def harmony(text: str) -> dict[str, Value]:
    """Controls from the text of `--harmony`: names of notes, apart by blanks or commas.

    Raises
    ------
    ConfigError
        For what is no name of a note.
    """
    flats = {"DB": "C#", "EB": "D#", "GB": "F#", "AB": "G#", "BB": "A#"}
    given: dict[str, Value] = dict.fromkeys(HARMONY, 0.0)
    for word in text.replace(",", " ").split():
        name = flats.get(word.upper(), word.upper())
        if name not in PITCH_CLASSES:
            raise ConfigError(f"harmony: {word!r} is no note; give names such as C, F# or Bb")
        given[HARMONY[PITCH_CLASSES.index(name)]] = 1.0
    return given


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
        "--latency", type=latency, default="default", metavar="SECONDS|default|jam",
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
