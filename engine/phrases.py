"""Playing along: held keys, answers and phrases, which apply from the next block on.

A phrase is a sequence of notes with times in seconds from its start: `Note`s, other objects with a
pitch, velocity, start and end, or (pitch, velocity, start, end) as tuples, lists or array rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from engine.controls.bus import ControlBus, Origin
from engine.controls.control import Control
from engine.errors import ConfigError
from engine.music_arguments import checked_phrase, checked_sound, is_sound
from engine.notes.note import Note
from engine.playing import Playing

__all__ = ["Phrase", "answer", "play_phrase"]

_ANY_KEYS = Control("keys", "keys", (), "block", "", 0.0, 127.0)
Phrase = Iterable[Note | Sequence[float]] | NDArray[Any]


def hold(
    controls: ControlBus, pack: str, keys: int | str | Iterable[int | str], origin: Origin
) -> None:
    """See `Instrument.hold`: sets the pack's control of kind keys."""
    control = _keys_control(controls)
    if control is not None:
        controls.set({control.name: keys}, origin)
    elif _ANY_KEYS.clip(keys):
        raise ConfigError(f"pack {pack!r} does not use held keys")


def held_keys(controls: ControlBus) -> tuple[int, ...]:
    """The held keys, as MIDI pitches."""
    control = _keys_control(controls)
    value = () if control is None else controls.settings[control.name]
    return tuple(int(key) for key in value) if isinstance(value, tuple) else ()  # type: ignore[arg-type]


def _keys_control(controls: ControlBus) -> Control | None:
    return next(iter(controls.settings.table.of_kind("keys")), None)


def answer(playing: Playing | None, phrase: Phrase | ArrayLike) -> None:
    """See `Instrument.answer`."""
    stream = _with_notes(playing, "answer").stream
    pack, feeder = stream.manifest, stream.feeder
    if not is_sound(phrase):
        feeder.phrase(_some("answer", checked_phrase(phrase)), played=False)
    elif pack.transcription:
        feeder.answer(checked_sound(pack, phrase))
    else:
        raise ConfigError(f"answer: pack {pack.name!r} has no transcription model; use notes")


def play_phrase(playing: Playing | None, notes: Phrase) -> None:
    """See `Instrument.play_phrase`."""
    feeder = _with_notes(playing, "play_phrase").stream.feeder
    feeder.phrase(_some("play_phrase", checked_phrase(notes)), played=True)


def _with_notes(playing: Playing | None, what: str) -> Playing:
    """`playing`, if its pack generates notes."""
    if playing is None:
        raise ConfigError(f"{what}: nothing is playing; start playing first")
    manifest = playing.stream.manifest
    if not manifest.has_notes:
        raise ConfigError(f"{what}: pack {manifest.name!r} generates no notes")
    return playing


def _some(what: str, phrase: tuple[Note, ...]) -> tuple[Note, ...]:
    if not phrase:
        raise ConfigError(f"{what}: the phrase has no notes; use one or more")
    return phrase
