"""Notes played on the sampled pianos that the sound stage learnt from: the ideal sound.

Samples are float32 [samples] mono. Reads the kit's samples once (half a minute); main thread only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.notes.note import Note


class SampledPianos:
    """The pianos of a kit, in the rooms and tones of the data.

    Parameters
    ----------
    kit : folder with a folder of samples for each piano, as `training.data.build` takes it.
    rate : samples per second.

    Raises
    ------
    ConfigError
        When there is no piano in it.
    """

    def __init__(self, kit: Path, rate: int) -> None:
        from training.data.kit import Kit

        folders = [f for f in sorted(kit.glob("*")) if any(f.glob("*[0-9]v*.ogg"))]
        if not folders:
            raise ConfigError(
                f"--kit {str(kit)!r}: no folder of piano samples. Use the folder of the kit."
            )
        self._rate = rate
        self._kits: list[Any] = []
        for folder in folders:  # all as loud as the first at equal velocity
            self._kits.append(Kit(folder, rate, self._kits[0].loudness if self._kits else None))

    def render(
        self, notes: Sequence[Note], timbre: Mapping[str, float], seconds: float
    ) -> NDArray[np.float32]:
        """The notes rendered as in the data, cut to a length.

        `timbre` has `instrument`, `room` and `brightness`, as the controls of these names.
        """
        from training.data import room
        from training.data.build import GAIN

        rng = np.random.default_rng(1)
        piano = self._kits[min(round(timbre.get("instrument", 0.0)), len(self._kits) - 1)]
        x = piano.render(list(notes))[: round(seconds * self._rate)] * np.float32(GAIN)
        x = room.in_a_room(x, self._rate, timbre.get("room", 0.5), rng)
        x = room.toned(x, self._rate, timbre.get("brightness", 0.0), rng)
        whole = np.zeros(round(seconds * self._rate), np.float32)
        whole[: len(x)] = x
        return room.below_full_scale(whole)
