"""The base of projections for signals without notes: they have no keys, notes or state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.notes.note import Note
from engine.representations.protocol import State
from engine.sampling.replace import Replace

__all__ = ["NoteFreeProjection"]


class NoteFreeProjection:
    """All methods of `Projection` except `project`."""

    def reset(self) -> None:
        """There is nothing to reset."""

    def known(self, keys: tuple[int, ...], block: int) -> Replace | None:
        """None: keys do not apply to this signal."""
        return None

    def past(self, notes: Iterable[Note], end: float, frames: int) -> NoReturn:
        """Raises: the signal has no notes."""
        raise ConfigError("notes cannot be written into this signal; choose one of kind 'roll'")

    def phrase(self, notes: Iterable[Note], block: int) -> NoReturn:
        """Raises: the signal has no notes."""
        raise ConfigError("notes cannot be written into this signal; choose one of kind 'roll'")

    def state(self) -> dict[str, NDArray[Any]]:
        """No arrays."""
        return {}

    def restore(self, state: State) -> None:
        """There is nothing to restore."""
