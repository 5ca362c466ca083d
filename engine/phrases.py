"""Playing along: keys that are held, answers and phrases.

A part of `Instrument`, in a file of its own. Any thread may call it; what it takes enters the music
with the next block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from engine.controls.bus import PYTHON, ControlBus, Origin
from engine.controls.control import Control
from engine.errors import ConfigError
from engine.hearing import checked_phrase, checked_sound, is_sound
from engine.packs.manifest import Manifest
from engine.rig import Rig
from engine.signal.roll import Note
from engine.stream.feeder import Feeder

__all__ = ["Phrase", "Phrases"]

_ANY_KEYS = Control("keys", "keys", (), "block", "", 0.0, 127.0)
Phrase = Iterable[Note | Sequence[float]] | NDArray[Any]


class Phrases:
    """See the module's first lines; `Instrument` makes the attributes.

    A phrase is notes in seconds from its start: `Note`s, anything else with a pitch, velocity,
    start and end, or (pitch, velocity, start, end) as tuples, lists or rows of an array.
    """

    _rig: Rig
    controls: ControlBus
    manifest: Manifest

    def hold(self, keys: int | str | Iterable[int | str], origin: Origin = PYTHON) -> None:
        """Play around these keys from the next block on, until others are held; [] releases all.

        Sets the pack's control of kind keys.

        Parameters
        ----------
        keys : one or several, as MIDI pitches or by name: `60`, `[36, 48]`, `"C4"`, `"C3 G3"`.
        origin : who holds them.

        Raises
        ------
        ConfigError
            The pack does not use held keys, or a key is out of its range.
        """
        control = self._keys_control
        if control is not None:
            self.controls.set({control.name: keys}, origin)
        elif _ANY_KEYS.clip(keys):
            raise ConfigError(f"pack {self.manifest.name!r} does not use held keys")

    @property
    def held(self) -> tuple[int, ...]:
        """The keys held down, as MIDI pitches."""
        control = self._keys_control
        return () if control is None else self.controls.settings[control.name]  # type: ignore[return-value]

    @property
    def _keys_control(self) -> Control | None:
        return next(iter(self.controls.settings.table.of_kind("keys")), None)

    def answer(self, phrase: Phrase | ArrayLike) -> None:
        """Continue a phrase that was played elsewhere: notes, or sound at the pack's rate.

        It is not played again. Notes are used as they are; in sound, an array [frames] or [frames,
        channels], the pack's transcription model finds them. An array with 4 columns is notes.

        Raises
        ------
        ConfigError
            Nothing is playing, the pack generates no notes or cannot transcribe, or the phrase
            cannot be used.
        """
        pack, feeder = self._notes_feeder("answer")
        if not is_sound(phrase):
            feeder.phrase(_some("answer", checked_phrase(phrase)), heard=False)
        elif pack.transcription:
            feeder.answer(checked_sound(pack, phrase))
        else:
            raise ConfigError(f"answer: pack {pack.name!r} has no transcription model; use notes")

    def play_phrase(self, notes: Phrase) -> None:
        """Play these notes next, in the pack's sound, and continue from them.

        Raises
        ------
        ConfigError
            Nothing is playing, the pack generates no notes, or the notes cannot be used.
        """
        _, feeder = self._notes_feeder("play_phrase")
        feeder.phrase(_some("play_phrase", checked_phrase(notes)), heard=True)

    def _notes_feeder(self, what: str) -> tuple[Manifest, Feeder]:
        """The pack that plays, which generates notes, and its feeder."""
        stream = self._rig.stream
        if stream is None:
            raise ConfigError(f"{what}: nothing is playing; start playing first")
        if stream.manifest.notes is None:
            raise ConfigError(f"{what}: pack {stream.manifest.name!r} makes no notes")
        return stream.manifest, stream.feeder


def _some(what: str, phrase: tuple[Note, ...]) -> tuple[Note, ...]:
    if not phrase:
        raise ConfigError(f"{what}: the phrase has no notes; use one or more")
    return phrase
