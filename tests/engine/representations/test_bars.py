"""The place in the bar and the tempo as frames, written from the tempo map."""

from fractions import Fraction

import numpy as np
import pytest

from engine.errors import ConfigError
from engine.representations.kinds import make_representation
from engine.representations.signals import Grid, Signal
from engine.time.tempo_map import Pace, TempoMap


def bars(rows=3, **grid):
    signal = Signal("bars", "bars", rows, 1, Grid(**grid))
    return make_representation(signal, 8000, lambda _: np.zeros(0))


def test_each_frame_says_its_place_the_length_of_its_bar_and_the_tempo():
    tempo = TempoMap(8000).until(3, Pace(120, 3)).until(5, Pace(60, 2))
    frames = bars(per_beat=Fraction(2)).frames(tempo, 3, 9)
    assert frames.tolist() == [
        [1.5, 2, 2.5, 0, 0.5, 1], [3, 3, 3, 2, 2, 2], [120, 120, 120, 60, 60, 60],
    ]  # fmt: skip
    assert frames.dtype == np.float32


def test_frames_before_the_piece_lie_in_the_bars_before_it():
    frames = bars(per_beat=Fraction(1)).frames(TempoMap(8000).until(1, Pace()), -5, 1)
    assert frames[0].tolist() == [3, 0, 1, 2, 3, 0]


@pytest.mark.parametrize("how", [{"samples": Fraction(4)}, {"rows": 4, "per_beat": Fraction(1)}])
def test_another_grid_and_other_rows_are_refused(how):
    with pytest.raises(ConfigError, match="bars have 3 rows and a grid such as"):
        bars(**how)


def test_it_is_neither_read_from_sound_nor_sampled():
    signal = bars(per_beat=Fraction(4))
    for refuses in (signal.decoder, signal.projection, lambda: signal.encode(np.zeros((1, 8)))):
        with pytest.raises(ConfigError, match="written from the tempo map"):
            refuses()
