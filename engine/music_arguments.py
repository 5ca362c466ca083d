"""Notes and sound from callers, checked and converted. Pure functions, any thread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.notes.note import LOWEST, PITCHES, Note
from engine.notes.note_names import pitch
from engine.packs.manifest import Manifest
from engine.scalars import number_of, shown

__all__ = ["checked_phrase", "checked_sound", "is_sound"]

_LONGEST = 600.0  # seconds of a phrase
_SHORTEST = 0.05  # seconds of sound
_LOUDEST = 100.0  # times full scale
_MOST = 100_000  # notes of a phrase
_FIELDS = ("pitch", "velocity", "start", "end")


def _each(what: str, values: object, example: str) -> list[object]:
    """The values of an iterable, which may be endless."""
    try:
        found = list(islice(iter(values), _MOST + 1))  # type: ignore[call-overload]
    except TypeError:
        raise ConfigError(f"{what}: {shown(values)} cannot be used; use {example}") from None
    if len(found) > _MOST:
        raise ConfigError(f"{what}: use {_MOST:,} notes or fewer")
    return found


def _key(key: object) -> int:
    number = number_of(key)
    if isinstance(key, str):
        number = pitch(key)
    if number is None or not LOWEST <= number < LOWEST + PITCHES:
        raise ConfigError(f"key {shown(key)} is not on a piano; use 21 (A0) to 108 (C8)")
    if number != int(number):
        raise ConfigError(f"key {shown(key)} is not a whole number; use 21 (A0) to 108 (C8)")
    return int(number)


def checked_phrase(notes: object) -> tuple[Note, ...]:
    """Notes as plain numbers, in the order of their starts.

    Each of `notes` has a pitch, velocity, start and end: as attributes, or as four values in this
    order.

    Raises
    ------
    ConfigError
        A value is not a note, a pitch is not on a piano, a velocity is outside 1..127, a time is
        negative or not a number, a note does not end after its start, or the phrase is longer than
        10 minutes.
    """
    example = "notes as (pitch, velocity, start, end), such as [(60, 90, 0.0, 0.5)]"
    if isinstance(notes, (str, bytes, Mapping)):
        raise ConfigError(f"phrase: {shown(notes)} cannot be used; use {example}")
    phrase = [_note(i, note) for i, note in enumerate(_each("phrase", notes, example))]
    return tuple(sorted(phrase, key=lambda n: n.start))


def _note(index: int, note: object) -> Note:
    fields: list[object]
    try:
        fields = [getattr(note, name) for name in _FIELDS]
    except AttributeError:
        fields = []
        if not isinstance(note, (str, bytes)):
            with suppress(TypeError):
                fields = list(islice(note, len(_FIELDS) + 1))  # type: ignore[arg-type]
    if len(fields) != len(_FIELDS):
        raise ConfigError(
            f"note {index} of the phrase, {shown(note)}: use (pitch, velocity, start, end)"
        )
    velocity, start, end = (number_of(value) for value in fields[1:])
    if not (start >= 0 and start < end <= _LONGEST):
        raise ConfigError(
            f"note {index} of the phrase, from {shown(fields[2])} to {shown(fields[3])} s: use "
            f"times with 0 <= start < end <= {_LONGEST:g}"
        )
    if not 1 <= velocity <= 127:
        raise ConfigError(
            f"note {index} of the phrase, with velocity {shown(fields[1])}: use 1 to 127"
        )
    return Note(_key(fields[0]), round(velocity), start, end)


def is_sound(phrase: object) -> bool:
    """Whether a phrase is sound: an array of numbers that is not a table of notes (4 columns)."""
    array = phrase if isinstance(phrase, np.ndarray) else getattr(phrase, "__array__", None)
    if array is None:
        return False
    array = np.asarray(phrase)
    notes = array.dtype == object or array.dtype.names is not None
    return not notes and not (array.ndim == 2 and array.shape[1] == len(_FIELDS))


def checked_sound(manifest: Manifest, samples: object) -> NDArray[np.float32]:
    """Sound as ndarray [shape=(frames, channels)] float32, with the channels of the pack.

    `samples` are [frames, 1 or 2], or [frames] of mono, at the pack's rate: floats with full scale
    at 1, or integers of 16 or 32 bits, as in sound files.

    Raises
    ------
    ConfigError
        The shape or type is wrong, a sample is NaN, infinite or far over full scale, or the length
        is not 0.05 s to 10 minutes.
    """
    try:
        sound: NDArray[Any] = np.asarray(samples)
    except Exception as error:
        raise ConfigError(f"sound: {shown(samples)} cannot be used; use an array") from error
    shape = sound.shape
    if sound.ndim == 1:
        sound = sound[:, None]
    if sound.ndim == 2 and sound.shape[0] in (1, 2) and sound.shape[1] > 2:
        raise ConfigError(
            f"sound of shape {sound.shape}: frames come first; use its transpose, sound.T"
        )
    if sound.ndim != 2 or sound.shape[1] not in (1, 2):
        raise ConfigError(
            f"sound of shape {shape}: use [frames] or [frames, channels], with 1 or 2 "
            f"channels, at {manifest.rate} Hz"
        )
    sound = _floats(sound)
    seconds = len(sound) / manifest.rate
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ConfigError(
            f"sound of {seconds:.3g} s at {manifest.rate} Hz: use {_SHORTEST:g} to {_LONGEST:g} s"
        )
    peak = float(np.abs(sound).max())
    if not math.isfinite(peak):
        raise ConfigError("sound with NaN or infinite samples: use finite numbers")
    if peak > _LOUDEST:
        raise ConfigError(
            f"sound with a peak of {peak:.3g}: full scale is 1; divide the samples (16-bit "
            "samples by 32768)"
        )
    if manifest.channels != sound.shape[1]:
        sound = np.repeat(sound.mean(axis=1, keepdims=True), manifest.channels, axis=1)
    return np.ascontiguousarray(sound, np.float32)


def _floats(sound: NDArray[Any]) -> NDArray[np.float32]:
    """Samples of any type as floats with full scale at 1."""
    if sound.dtype.kind == "i" and sound.dtype.itemsize in (2, 4):
        return (sound / -float(np.iinfo(sound.dtype).min)).astype(np.float32)
    if sound.dtype.kind != "f":
        raise ConfigError(
            f"sound of type {sound.dtype}: use floats with full scale at 1, int16 or int32"
        )
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, and are refused
        return sound.astype(np.float32)
