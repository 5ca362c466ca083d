"""The sizes of a network as a value that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Sizes:
    """What the configurations of all networks share. Fields are numbers and tuples of numbers."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint or a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `as_dict` returned, also after JSON has turned its tuples into lists."""
        found: dict[str, Any] = {}
        for name, value in values.items():
            found[name] = tuple(value) if isinstance(value, list) else value
        return cls(**found)
