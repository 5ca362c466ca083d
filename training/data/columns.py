"""Windows of a sound stage: spectrogram columns, the roll of the notes in them, and the style.

A window begins at a random sample of a piece that has notes, or in the silence before it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.notes.note import Note
from engine.representations.roll import encode
from training.data.blocks import Blocks, SpectrogramConfig
from training.nets.columns import STYLES, ColumnsConfig
from training.nets.features import TOKEN
from training.run import Batch


class Windows(Blocks):
    """Draws batches from one split of a dataset folder that `training.data.build` built from MIDI.

    Raises
    ------
    FileNotFoundError
        When the folder is no dataset.
    ValueError
        When its rate is another, or no piece of it has notes.
    """

    def __init__(
        self, folder: Path, split: str, spectrogram: SpectrogramConfig, config: ColumnsConfig
    ) -> None:
        super().__init__(folder, split, spectrogram)
        self._sizes = config
        self._token = TOKEN * config.hop / config.rate  # seconds
        self.pieces = [p for p in self.pieces if p.get("notes_count")]
        if not self.pieces:
            raise ValueError(
                f"{folder}: no {split} piece has notes. Build it from MIDI with "
                "'python -m training.data.build --kit FOLDER'."
            )
        lengths = np.array([p["length"] for p in self.pieces], float)
        self._share = lengths / lengths.sum()
        self._notes = np.load(folder / "notes.npy", mmap_mode="r")

    def window(self, piece: int, at: int) -> tuple[np.ndarray, np.ndarray]:
        """Samples and roll of the window whose block begins `at` samples into a piece.

        Returns
        -------
        samples : float32 [samples of past + frames columns]
        roll : float32 [352, tokens]
        """
        c, p = self._sizes, self.pieces[piece]
        first = at - c.past * c.hop
        last = first + self.config.samples(c.past + c.frames)
        inside = slice(p["offset"] + max(first, 0), p["offset"] + min(last, p["length"]))
        x = np.zeros(last - first, np.float32)
        found = self.audio[inside]
        x[max(-first, 0) : max(-first, 0) + len(found)] = found
        start = at / c.rate - c.history * self._token
        table = self._notes[p["notes_offset"] : p["notes_offset"] + p["notes_count"]]
        near = (table[:, 2] < start + c.tokens * self._token) & (table[:, 3] > start)
        notes = [Note(int(k), int(v), float(s), float(e)) for k, v, s, e in table[near]]
        return x / 32768, encode(notes, start, c.tokens, self._token)

    def windows(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` windows.

        Returns
        -------
        columns [size, bins, past + frames] of ln(magnitude + floor), roll [size, 352, tokens],
        style [size, 3] (instrument, room, brightness)
        """
        need = self.config.samples(self._sizes.frames)
        samples, rolls, styles = [], [], []
        for piece in rng.choice(len(self.pieces), size, p=self._share):
            p = self.pieces[piece]
            x, roll = self.window(piece, int(rng.integers(0, p["length"] - need)))
            samples.append(x)
            rolls.append(roll)
            styles.append([p[name] for name in STYLES])
        return {
            "columns": self.spectrogram(torch.from_numpy(np.stack(samples))),
            "roll": torch.from_numpy(np.stack(rolls)),
            "style": torch.tensor(styles, dtype=torch.float32),
        }
