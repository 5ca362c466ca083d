"""What a pack hears: refuses controls and keys that it does not. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.errors import ConfigError
from engine.packs.manifest import Manifest
from engine.params import param
from engine.signal.roll import LOWEST, PITCHES
from engine.stream.conditions import needed

__all__ = ["checked_keys", "refuse_unheard"]


def refuse_unheard(manifest: Manifest, controls: Mapping[str, object]) -> None:
    """Refuse controls that the pack does not hear, unless they are at rest.

    Raises
    ------
    ConfigError
        Naming the control, or that there is none of the name.
    """
    heard = needed(manifest.controls)
    for name, value in controls.items():
        control = param(name)
        if control.packs and name not in heard and value != control.default:
            raise ConfigError(
                f"{name}: pack {manifest.name!r} does not hear it; 'attacca packs' shows what "
                "each pack hears"
            )


def checked_keys(manifest: Manifest, keys: Iterable[int]) -> tuple[int, ...]:
    """Held keys (MIDI pitches) in order, each once.

    Raises
    ------
    ConfigError
        When the pack does not hear held keys, or a pitch is none of a piano's.
    """
    held = tuple(sorted(set(keys)))
    if held and "held" not in manifest.controls:
        raise ConfigError(f"pack {manifest.name!r} does not hear held keys")
    for pitch in held:
        if not LOWEST <= pitch < LOWEST + PITCHES:
            raise ConfigError(f"key {pitch!r} is not on a piano; give 21 (A0) to 108 (C8)")
    return held
