"""The kinds of representations: their options as data, and how one is made for a signal.

Reading this table loads no signal processing, so that manifests are checked quickly. Pure data: any
thread, any process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.packs.fields import Field, read_table
from engine.packs.signals import Signal
from engine.representations.protocol import Representation

__all__ = ["KINDS", "Kind", "make_representation"]

Load = Callable[[str], NDArray[Any]]

_LIMIT = Field(
    "limit", float, "values that a stage outputs are held within plus and minus this",
    1e-6, 1e6, default=6.0, required=False,
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of representation.

    Attributes
    ----------
    about : what a frame is.
    options : of a signal of this kind.
    place : module and class, loaded when the first one is made.
    files : options that name a file of the pack.
    """

    about: str
    options: tuple[Field, ...]
    place: str
    files: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "samples": Kind(
        "one sample of each channel; the grid is one sample per frame",
        (_LIMIT,),
        "engine.representations.samples:Samples",
    ),
    "log-magnitude": Kind(
        "normalised logarithms of the magnitudes of a Fourier transform, from DC up",
        (
            Field("window", int, "samples of the Hann window: even, a multiple of the grid's "
                  "samples, at least twice", 16, 16384),
            Field("floor", float, "added to magnitudes before the logarithm", 1e-9, 10.0),
            Field("scale", float, "divides the logarithm once the mean is taken off", 1e-6, 1e3),
            Field("mean", str, "file: float32 .npy [rows], or [rows of one channel] for all"),
            Field("phase", str, "phase reconstruction; empty: the best",
                  choices=("", "gradient-raar", "gradient-gl", "gradient"),
                  default="", required=False),
            _LIMIT,
        ),
        "engine.representations.log_magnitude:LogMagnitude",
        files=("mean",),
    ),
    "roll": Kind(
        "notes of a keyboard; four rows per key on a grid of seconds",
        (Field("lowest", int, "MIDI pitch of the lowest key", 0, 127, default=21, required=False),),
        "engine.representations.roll:Roll",
    ),
}  # fmt: skip


def make_representation(signal: Signal, rate: int, load: Load) -> Representation:
    """Make the representation of a signal.

    Parameters
    ----------
    signal : options that are left out take their defaults.
    rate : samples per second of the pack.
    load : returns the array of one of the pack's ``.npy`` files.

    Raises
    ------
    PackError
        For an option that is missing, unknown or out of its bounds.
    ConfigError
        For an unknown kind, and for options that do not fit each other or their files.
    """
    kind = KINDS.get(signal.kind)
    if kind is None:
        raise ConfigError(
            f"signal {signal.name!r}: kind is {signal.kind!r}; it takes {', '.join(KINDS)}"
        )
    options = read_table(f"signal {signal.name!r}", signal.kind, kind.options, signal.options)
    if signal.channels < 1 or signal.rows < 1 or signal.rows % signal.channels:
        raise ConfigError(
            f"signal {signal.name!r}: {signal.rows} rows in {signal.channels} channels; "
            "every channel has the same number of rows"
        )
    module, name = kind.place.split(":")
    make: Callable[[Signal, int, Load], Representation] = getattr(import_module(module), name)
    return make(replace(signal, options=options), rate, load)
