"""What the projections of signals without notes share: they have no keys, no notes and no state."""

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
    """The methods of `Projection` but for `project`."""

    def reset(self) -> None:
        """There is nothing to reset."""

    def known(self, keys: tuple[int, ...], block: int) -> Replace | None:
        """None: keys fix no cells here."""
        return None

    def past(self, notes: Iterable[Note], end: float, frames: int) -> NoReturn:
        """Refuse: there are no notes here."""
        raise ConfigError("notes cannot be written into this signal; choose one of kind 'roll'")

    def phrase(self, notes: Iterable[Note], block: int) -> NoReturn:
        """Refuse: there are no notes here."""
        raise ConfigError("notes cannot be written into this signal; choose one of kind 'roll'")

    def state(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """There is nothing to restore."""
