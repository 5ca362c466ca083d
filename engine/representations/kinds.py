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
from engine.fields import Field, read_table
from engine.representations.protocol import Representation
from engine.representations.signals import Signal

__all__ = ["KINDS", "TRANSFORMS", "Kind", "make_representation"]

Load = Callable[[str], NDArray[Any]]
_PHASES = ("gradient-raar", "gradient-gl", "gradient")


def _limit(default: float) -> Field:
    return Field(
        "limit", float, "values that a stage outputs are held within plus and minus this",
        1e-6, 1e6, default=default, required=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of representation.

    Attributes
    ----------
    about : what a frame is.
    options : of a signal of this kind.
    place : module and class, or function, loaded when the first one is made.
    files : options that name a file of the pack.
    rows : where every signal of the kind has so many; 0: the signal says.
    written : whether the player writes it: no stage outputs such a signal.
    """

    about: str
    options: tuple[Field, ...]
    place: str
    files: tuple[str, ...] = ()
    rows: int = 0
    written: bool = False


KINDS: Mapping[str, Kind] = {
    "samples": Kind(
        "one sample of each channel; more than one sample per frame is sound at a lower rate",
        (_limit(6.0),),
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
                  choices=("", *_PHASES),
                  default="", required=False),
            _limit(6.0),
        ),
        "engine.representations.log_magnitude:LogMagnitude",
        files=("mean",),
    ),
    "mel": Kind(
        "normalised logarithms of mel bands; a network stage makes sound of them",
        (
            Field("window", int, "samples of the Hann window: even, a multiple of the grid's "
                  "samples, at least twice", 16, 16384),
            Field("floor", float, "band values below this count as silence", 1e-12, 10.0),
            Field("floor_rule", str, "add: the floor is added before the logarithm; clamp: smaller "
                  "values are raised to it", choices=("add", "clamp"), default="add",
                  required=False),
            Field("scale", float, "divides the logarithm once the mean is taken off", 1e-6, 1e3,
                  default=1.0, required=False),
            Field("mean", str, "file: float32 .npy [rows of one channel]; empty: 0",
                  default="", required=False),
            Field("low", float, "Hz: where the lowest band begins", 0.0, 96000.0, default=0.0,
                  required=False),
            Field("high", float, "Hz: where the highest band ends; 0: half of the rate", 0.0,
                  96000.0, default=0.0, required=False),
            Field("mel_scale", str, "slaney: linear below 1 kHz; htk: logarithmic throughout",
                  choices=("slaney", "htk"), default="slaney", required=False),
            Field("norm", str, "slaney: bands of equal area; none: peaks of 1",
                  choices=("slaney", "none"), default="slaney", required=False),
            Field("power", int, "1: bands of magnitudes; 2: of their squares", 1, 2, default=1,
                  required=False),
            Field("phase", str, "phase reconstruction, to decode without a vocoder; empty: none",
                  choices=("", *_PHASES), default="", required=False),
            _limit(24.0),
        ),
        "engine.representations.mel:Mel",
        files=("mean",),
    ),
    "mdct": Kind(
        "companded coefficients of a modified discrete cosine transform, from the lowest up",
        (
            Field("taper", str, "the window, of two grid steps: sine, vorbis, or kbd "
                  "(Kaiser-Bessel-derived)", choices=("sine", "vorbis", "kbd"), default="sine",
                  required=False),
            Field("alpha", float, "of kbd: larger suppresses distant frequencies more", 0.0, 32.0,
                  default=4.0, required=False),
            Field("exponent", float, "compands coefficients; 1: not at all", 0.05, 1.0,
                  default=0.5, required=False),
            Field("scale", float, "divides coefficients before they are companded", 1e-6, 1e3,
                  default=1.0, required=False),
            Field("scales", str, "file: float32 .npy [rows of one channel], in place of scale",
                  default="", required=False),
            _limit(24.0),
        ),
        "engine.representations.mdct:Mdct",
        files=("scales",),
    ),
    "latent": Kind(
        "scaled latents of an autoencoder; network stages encode and decode them",
        (
            Field("mean", str, "file: float32 .npy [rows], taken off; empty: 0", default="",
                  required=False),
            Field("deviation", str, "file: float32 .npy [rows], divides what is left; empty: 1",
                  default="", required=False),
            _limit(12.0),
        ),
        "engine.representations.latent:Latent",
        files=("mean", "deviation"),
    ),
    "codes": Kind(
        "vectors of a residual quantiser's codes; network stages encode and decode them",
        (
            Field("codebooks", str, "file: float32 .npy [levels, entries, dimensions]"),
            Field("first", int, "the first level of the file that this signal holds", 0, 255,
                  default=0, required=False),
            Field("levels", int, "how many levels it holds; 0: all from the first on", 0, 256,
                  default=0, required=False),
            Field("layout", str, "stacked: the vectors of the levels below each other; summed: "
                  "their sum", choices=("stacked", "summed"), default="stacked", required=False),
            Field("scale", float, "divides the vectors", 1e-6, 1e6, default=1.0, required=False),
        ),
        "engine.representations.codes:Codes",
        files=("codebooks",),
    ),
    "roll": Kind(
        "notes, four rows per key. On a grid of samples: onset, position, and whether the key "
        "sounds in the middle and at the end of the frame. On a grid of beats: onset, place, "
        "length and whether the key sounds, of which a stage samples the first three",
        (Field("lowest", int, "MIDI pitch of the lowest key", 0, 127, default=21, required=False),),
        "engine.representations.roll_by_grid:make_roll",
    ),
    "bars": Kind(
        "beats since the bar began, beats in the bar, beats per minute, on a grid of beats; the "
        "player writes it from the tempo map",
        (),
        "engine.representations.bars:Bars",
        rows=3,
        written=True,
    ),
}  # fmt: skip
TRANSFORMS: Mapping[str, str] = {
    "decode": "frames become samples",
    "perform": "a roll on beats becomes a roll on samples, by the tempo map",
}


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
