"""What a pack hears: refuses controls, keys, notes and sound that it cannot. Pure functions."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.packs.manifest import Manifest
from engine.params import PARAMS, Settings, param
from engine.signal.roll import LOWEST, PITCHES, Note
from engine.stream.conditions import needed

__all__ = [
    "adapted", "checked_keys", "checked_phrase", "checked_sound", "is_heard", "refuse_unheard",
]  # fmt: skip

_LONGEST = 600.0  # seconds of a phrase


def refuse_unheard(manifest: Manifest, controls: Mapping[str, object]) -> None:
    """Refuse controls that the pack does not hear, unless they are at rest.

    Raises
    ------
    ConfigError
        Naming the control, or that there is none of the name.
    """
    for name, value in controls.items():
        if not is_heard(manifest, name, value):
            raise ConfigError(
                f"{name}: pack {manifest.name!r} does not hear it; 'attacca packs' shows what "
                "each pack hears"
            )


def is_heard(manifest: Manifest, name: str, value: object) -> bool:
    """Whether the pack uses the control, or the value is the control's default.

    Raises
    ------
    ConfigError
        There is no such control.
    """
    control = param(name)
    return not control.packs or value == control.default or name in needed(manifest.controls)


def adapted(settings: Settings, manifest: Manifest, stride: float) -> Settings:
    """Controls for a pack: its own steps, temperature and guidance, rest where it hears nothing.

    `stride` is the one that the latency asks for, in blocks.
    """
    stage, heard = manifest.stage, needed(manifest.controls)
    rest: dict[str, object] = {p.name: p.default for p in PARAMS if p.packs and p.name not in heard}
    return settings.changed(
        **rest, steps=stage.steps, temperature=stage.temperature,
        guidance=stage.default_guidance, stride=stride,
    )  # fmt: skip


def checked_keys(manifest: Manifest, keys: Iterable[int]) -> tuple[int, ...]:
    """Held keys (MIDI pitches) in order, each once.

    Raises
    ------
    ConfigError
        When the pack does not hear held keys, or a pitch is none of a piano's.
    """
    held = {_key(pitch) for pitch in keys}
    if held and "held" not in manifest.controls:
        raise ConfigError(f"pack {manifest.name!r} does not hear held keys")
    return tuple(sorted(held))


def _key(pitch: object) -> int:
    try:
        number = operator.index(pitch)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not LOWEST <= number < LOWEST + PITCHES:
        raise ConfigError(f"key {pitch!r} is not on a piano; give 21 (A0) to 108 (C8)")
    return number


def checked_phrase(notes: Iterable[Note]) -> list[Note]:
    """Notes as plain numbers, in the order of their starts.

    Raises
    ------
    ConfigError
        For a pitch that is none of a piano's, a velocity out of 1..127, a time that is no number
        or before 0, a note that ends where it starts or sooner, or over 10 minutes.
    """
    phrase: list[Note] = []
    for n in notes:
        start, end, velocity = float(n.start), float(n.end), float(n.velocity)
        if not (math.isfinite(end) and 0 <= start < end <= _LONGEST):
            raise ConfigError(
                f"note {n.pitch!r} from {start:g} to {end:g} s: give times with "
                f"0 <= start < end <= {_LONGEST:g}"
            )
        if not 1 <= velocity <= 127:
            raise ConfigError(f"note {n.pitch!r} with velocity {n.velocity!r}: give 1 to 127")
        phrase.append(Note(_key(n.pitch), round(velocity), start, end))
    return sorted(phrase, key=lambda n: n.start)


def checked_sound(manifest: Manifest, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sound as ndarray [shape=(frames, channels)] float32.

    Raises
    ------
    ConfigError
        For another shape, none at all, or samples that are no numbers.
    """
    if samples.ndim != 2 or samples.shape[1] not in (1, 2) or not len(samples):
        raise ConfigError(
            f"sound of shape {samples.shape}: give [frames, channels] at {manifest.rate} Hz"
        )
    if not np.isfinite(samples).all():
        raise ConfigError("sound with samples that are not numbers: give finite ones")
    return np.ascontiguousarray(samples, np.float32)
