"""The values of all controls of a table, as one immutable object. Pure data: any thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.controls.control import Control, Value, as_number
from engine.controls.table import ControlTable
from engine.errors import ConfigError
from engine.scalars import shown

__all__ = ["Settings"]


def _empty() -> Mapping[str, Value]:
    return MappingProxyType({})


@dataclass(frozen=True, repr=False)
class Settings:
    """A value for each control of `table`, by its full name.

    Its `repr` shows only values that differ from the defaults.
    """

    table: ControlTable = field(default_factory=ControlTable)
    values: Mapping[str, Value] = field(default_factory=_empty)

    @classmethod
    def defaults(cls, table: ControlTable, /, **changes: object) -> Settings:
        """The defaults of all controls, with `changes`."""
        values = {control.name: control.default for control in table}
        return cls(table, MappingProxyType(values)).changed(changes)

    def changed(self, changes: Mapping[str, object] | None = None, /, **more: object) -> Settings:
        """A copy with changes, clipped to their range; full names, or unique short names.

        A part of a control, such as `pack/harmony/c`, changes one number of the control's value.

        Raises
        ------
        ConfigError
            A name is not a control, or a value is of the wrong kind.
        """
        new = dict(self.values)
        for name, value in {**(changes or {}), **more}.items():
            control = self.table[name]
            if control.part_of:
                _set_part(new, self.table[control.part_of], control, control.clip(value))
            else:
                new[control.name] = control.clip(value)
        return Settings(self.table, MappingProxyType(new))

    def moved_to(self, table: ControlTable) -> Settings:
        """The values for another table, where they exist and are valid; else its defaults."""
        new = {control.name: control.default for control in table}
        for control in table:
            if control.name in self.values:
                new[control.name] = _kept(control, self.values[control.name])
        return Settings(table, MappingProxyType(new))

    def for_presets(self) -> dict[str, Value]:
        """The values for a preset, by full names."""
        return {c.name: self.values[c.name] for c in self.table if c.in_presets}

    def usable(self, values: Mapping[str, object]) -> dict[str, Value]:
        """The values that are valid for a control of this table, by full names."""
        found: dict[str, Value] = {}
        for name, value in values.items():
            try:
                control = self.table[name]
                found[control.name] = control.clip(value)
            except ConfigError:
                continue
        return found

    def __getitem__(self, name: str) -> Value:
        control = self.table[name]
        if control.part_of:
            whole = self.values[control.part_of]
            return whole[control.index] if isinstance(whole, tuple) else 0.0  # type: ignore[return-value]
        return self.values[control.name]

    def __repr__(self) -> str:
        turned = [
            f"{control.name}={shown(self.values[control.name])}" for control in self.table
            if self.values[control.name] != control.default
        ]  # fmt: skip
        return f"Settings({', '.join(turned)})"

    def number(self, name: str) -> float:
        """The value of a numeric control or of a switch.

        Raises
        ------
        ConfigError
            It is not a number.
        """
        return as_number(self[name])


def _set_part(values: dict[str, Value], whole: Control, part: Control, value: Value) -> None:
    before = values[whole.name]
    weights = list(before) if isinstance(before, tuple) else [0.0] * len(whole.parts)
    weights[part.index] = value  # type: ignore[call-overload]
    values[whole.name] = whole.clip(weights)


def _kept(control: Control, value: Value) -> Value:
    try:
        return control.check(value)
    except ConfigError:
        return control.default
