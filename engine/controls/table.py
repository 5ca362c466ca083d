"""The control table as an immutable value: the controls of the engine and of the pack.

Another pack has another table. Every interface shows the table, so that a control which no code
mentions appears in all of them. Pure data: any thread.
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

    Names are full names, such as `gain` or `pack/density`. A short name (`density`) is the last
    part of a full name, if it is unique; a control of the engine, at the root, takes precedence.

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
                    raise ConfigError(f"two controls are named {one.name!r}; rename one of them")
                by_name[one.name] = one
                # The short name of a part contains the name of its control: harmony/c.
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
        """The control, or the part of a control, with a full or short name.

        Raises
        ------
        ConfigError
            There is no such control, or a short name is not unique.
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
        """Whether there is a control with this full name or unique short name."""
        if not isinstance(name, str):
            return False
        return name in self._by_name or len(self._by_short.get(name, ())) == 1

    def __iter__(self) -> Iterator[Control]:
        return iter(self.controls)

    def __len__(self) -> int:
        return len(self.controls)

    @cached_property
    def pack(self) -> tuple[Control, ...]:
        """The controls of the pack."""
        return tuple(control for control in self.controls if control.pack)

    @cached_property
    def with_parts(self) -> tuple[Control, ...]:
        """All controls, each followed by its parts."""
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
