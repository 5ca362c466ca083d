"""The colours of the spectrogram: inferno, which every eye reads as louder the lighter it is.

Its lightness rises evenly, also for those who do not tell red from green, and in grey. The same in
light and in dark themes, as levels are compared between pictures. Source: matplotlib's inferno by
N. Smith and S. van der Walt (CC0), every sixteenth colour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["colour_table"]

_INFERNO = (
    "000004 0a0723 200c49 3c0964 560f6d 70196e 89226a a22b61 bb3654 d04544 e35932 f1711e f98c09 "
    "fcaa0f f9c932 f2e865 fcffa4"
)


def colour_table(low: float, high: float) -> NDArray[np.uint32]:
    """256 colours 0xffRRGGBB for bytes that stand for -90 to 0 dB.

    Parameters
    ----------
    low, high : dB that are drawn as the darkest and as the lightest.
    """
    points = np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in _INFERNO.split()])
    levels = np.arange(256) * (90.0 / 255.0) - 90.0
    place = np.clip((levels - low) / (high - low), 0.0, 1.0) * (len(points) - 1)
    red, green, blue = (
        np.rint(np.interp(place, np.arange(len(points)), points[:, i])).astype(np.uint32)
        for i in range(3)
    )
    return (np.uint32(0xFF000000) | red << 16 | green << 8 | blue).astype(np.uint32)
