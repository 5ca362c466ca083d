"""States as named arrays: combining those of parts, and checking them before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.errors import ConfigError

__all__ = ["array_of", "part", "prefixed"]

Arrays = dict[str, NDArray[Any]]


def prefixed(prefix: str, state: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of a part, under the names ``prefix/name``."""
    return {f"{prefix}/{name}": array for name, array in state.items()}


def part(prefix: str, state: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of a part under their own names: the inverse of `prefixed`."""
    start = f"{prefix}/"
    return {name[len(start) :]: a for name, a in state.items() if name.startswith(start)}


def array_of(
    state: Mapping[str, NDArray[Any]], name: str, shape: tuple[int | None, ...], dtype: DTypeLike
) -> NDArray[Any]:
    """A copy of one array of a state; None in `shape` is any length.

    Raises
    ------
    ConfigError
        It is missing, or of another type or shape.
    """
    array = state.get(name)
    if array is None:
        raise ConfigError(f"state without {name!r}; it was saved by another version of the pack")
    fits = array.dtype == np.dtype(dtype) and len(array.shape) == len(shape)
    if not fits or any(s not in (None, n) for s, n in zip(shape, array.shape, strict=True)):
        raise ConfigError(
            f"state {name!r} is {array.dtype} {array.shape}, not {np.dtype(dtype)} {shape}; "
            "it was saved by another version of the pack"
        )
    return array.copy()
