"""Options that several verbs share, made from the table of controls, checked as they are read.

Imported with the parser: the standard library and the tables of the engine only. A value out of
range raises ConfigError, which quotes it and names the bounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.arguments import checked_latency
from engine.controls.control import Control, Value
from engine.controls.shipped_table import SHIPPED_TABLE
from engine.errors import ConfigError
from engine.execution.targets import CPU_TARGET, TARGETS, known_target

if TYPE_CHECKING:
    from engine.instrument import Instrument

__all__ = [
    "add_pack",
    "add_playing",
    "add_target",
    "checked",
    "chosen",
    "set_others",
]

# How much of a block is kept follows from the latency, so the command line does not ask for it;
# keys are held while it plays. Every other control of any pack can be set with --set.
OPTIONS = tuple(
    c for c in SHIPPED_TABLE
    if (c.when == "block" or c.name == "gain") and c.name != "stride" and c.kind != "keys"
)  # fmt: skip
_THREADS = Control("threads", "whole", 1, "block", "Processor threads of the network.", 1, 256)


def checked(control: Control) -> Callable[[str], Value]:
    """What argparse calls to turn an option's text into a value of `control`."""

    def read(text: str) -> Value:
        return control.check(text)

    read.__name__ = control.short
    return read


def add_pack(parser: argparse.ArgumentParser) -> None:
    """`--pack`."""
    parser.add_argument(
        "--pack", default="piano", metavar="NAME", help="a pack's name or folder (piano)"
    )


def add_playing(parser: argparse.ArgumentParser) -> None:
    """What `play` and `render` have in common: the pack, the controls, the past."""
    add_pack(parser)
    for control in OPTIONS:
        _add_control(parser, control)
    parser.add_argument(
        "--set", type=_assignment, action="append", default=[], metavar="NAME=VALUE",
        help="set any control of the pack, by its full or short name, such as pack/density=3; may "
        "be repeated ('attacca osc --pack NAME' lists the controls)",
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
        "--target", type=_target, default=CPU_TARGET, metavar="NAME",
        help=f"where the network runs: {', '.join(TARGETS)} ({CPU_TARGET}); "
        "'attacca doctor' lists what this ONNX Runtime offers",
    )  # fmt: skip


def _target(text: str) -> str:
    return known_target(text).name


_METAVARS = {
    "whole": "N", "number": "X", "choice": "NAME", "switch": "on|off", "text": "TEXT",
    "pitch_classes": "NOTES", "chords": "CHORDS",
}  # fmt: skip


def _add_control(parser: argparse.ArgumentParser, control: Control) -> None:
    own = "; the pack's own by default" if control.name in ("steps", "sampler") else ""
    if control.name == "seed":
        own = "; a new one each time by default, which is shown"
    parser.add_argument(
        f"--{control.short}", type=checked(control), metavar=_METAVARS[control.kind],
        choices=control.choices or None,
        help=f"{control.about.rstrip('.')} ({control.span()}{own})",
    )  # fmt: skip


def _assignment(text: str) -> tuple[str, str]:
    """NAME=VALUE in two parts; the pack that plays says whether it has the control."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ConfigError(f"--set: {text!r} is not NAME=VALUE; enter one such as density=3")
    return name.strip(), value.strip()


def chosen(args: argparse.Namespace, new_seed: Callable[[], int]) -> dict[str, Value]:
    """The controls that were set, and a new seed if none was: for `Instrument(**controls)`."""
    options = {c.name: getattr(args, c.short) for c in OPTIONS}
    values = {name: value for name, value in options.items() if value is not None}
    return {"seed": new_seed(), **values}


def set_others(args: argparse.Namespace, instrument: Instrument) -> None:
    """Set what --set names; the pack says whether it has the control.

    Raises
    ------
    ConfigError
        The pack does not have it, or it does not take the value.
    """
    table = instrument.settings.table
    instrument.set({table[name].name: table[name].check(value) for name, value in args.set})
