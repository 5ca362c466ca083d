"""The table of controls as a value: the engine's own, the pack's, and those of the plugin chain.

A table never changes: another pack or another chain makes another table. Every interface shows
what the table has, so a control that no code mentions is in all of them. Pure data: any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from engine.controls.control import Control
from engine.errors import ConfigError
from engine.scalars import shown

__all__ = ["ControlTable"]


@dataclass(frozen=True)
class ControlTable:
    """Controls in the order in which they are shown.

    Names are full names, such as `gain` or `pack/density`. A short name (`density`) stands for
    the one control that ends with it; a control of the engine, at the root, comes before others.

    Raises
    ------
    ConfigError
        Two controls have the same full name.
    """

    controls: tuple[Control, ...] = ()
    _by_name: dict[str, Control] = field(init=False, repr=False, compare=False)
    _by_short: dict[str, tuple[Control, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Control] = {}
        by_short: dict[str, tuple[Control, ...]] = {}
        for control in self.controls:
            for one in (control, *control.parts):
                if one.name in by_name:
                    raise ConfigError(f"two controls are called {one.name!r}; rename one of them")
                by_name[one.name] = one
                # A part goes by the name of its control and its own: harmony/c.
                short = f"{control.short}/{one.short}" if one.part_of else one.short
                by_short[short] = (*by_short.get(short, ()), one)
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_short", by_short)

    @classmethod
    def merged(
        cls,
        engine: Iterable[Control],
        pack: Iterable[Control] = (),
        chain: Iterable[Control] = (),
    ) -> ControlTable:
        """The engine's controls, then the pack's, then those of the plugin chain."""
        return cls((*engine, *pack, *chain))

    def __getitem__(self, name: str) -> Control:
        """The control, or the part of one, of a full or a short name.

        Raises
        ------
        ConfigError
            There is none of the name (with names that are near), or a short name stands for
            several.
        """
        found = self._by_name.get(name)
        if found is not None:
            return found
        several = self._by_short.get(name, ())
        if len(several) == 1:
            return several[0]
        if several:
            names = ", ".join(one.name for one in several)
            raise ConfigError(f"{name!r} is the name of several controls; enter one of {names}")
        raise ConfigError(f"{shown(name)} is not a control; {self._suggestion(name[:100])}")

    def __contains__(self, name: object) -> bool:
        """Whether a full name, or a short name that is unique, is one of its controls."""
        if not isinstance(name, str):
            return False
        return name in self._by_name or len(self._by_short.get(name, ())) == 1

    def __iter__(self) -> Iterator[Control]:
        return iter(self.controls)

    def __len__(self) -> int:
        return len(self.controls)

    @cached_property
    def pack(self) -> tuple[Control, ...]:
        """The controls that the pack brings."""
        return tuple(control for control in self.controls if control.pack)

    @cached_property
    def with_parts(self) -> tuple[Control, ...]:
        """All controls, each followed by the numbers that it consists of."""
        return tuple(one for control in self.controls for one in (control, *control.parts))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups in the order in which they first appear."""
        return tuple(dict.fromkeys(control.group for control in self.controls))

    def of_kind(self, kind: str) -> tuple[Control, ...]:
        """The controls of one kind."""
        return tuple(control for control in self.controls if control.kind == kind)

    def _suggestion(self, name: str) -> str:
        near = get_close_matches(name, [*self._by_name, *self._by_short])
        names = [control.name for control in self.controls]
        return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
