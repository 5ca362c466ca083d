"""The address space: every OSC address for one table of controls. Pure data.

The address of a control is `/` and its full name (`/gain`, `/pack/density`), in its own unit. Where
the control has a position, `ADDRESS/norm` takes the same value normalised to 0..1. Pitch classes
also have an address for each class, `/pack/harmony/c` to `/pack/harmony/b`, with `c_sharp` for C#,
since OSC reserves `#`; `/pack/harmony/*` matches all of them. Everything that lists addresses (the
server, OSCQuery, layouts, `attacca osc`, the docs) reads them from an `AddressSpace`; every table
of controls has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from engine.controls.control import NUMERIC, Control
from engine.controls.table import ControlTable
from engine.errors import ConfigError
from osc.address import Address
from osc.fixed_addresses import FIXED, FIXED_BY_PATH

__all__ = ["AddressSpace", "address_space", "control_address"]

_TYPES = {
    "number": "f", "whole": "i", "switch": "i", "choice": "s", "action": "i", "text": "s",
    "pitch_classes": "f" * 12, "chords": "s", "keys": "i",
}  # fmt: skip


def control_address(name: str) -> str:
    """The path of the control, or of the part of one, with a full name."""
    return f"/{name}"


def _control(control: Control) -> tuple[Address, ...]:
    """A control, its normalised value where it has a position, and its parts."""
    path = control_address(control.name)
    low, high = (control.low, control.high) if control.kind in (*NUMERIC, "keys") else (None, None)
    if control.kind in ("switch", "action"):
        low, high = 0, 1
    elif control.kind == "pitch_classes":
        low, high = 0.0, 1.0
    itself = Address(
        path, "control", _TYPES[control.kind], "get, set", control.about, low, high, control.unit,
        control.choices, control.default, control.free and not control.choices, control.when,
        control.name,
    )  # fmt: skip
    if not control.has_position:
        return (itself, *(address for part in control.parts for address in _control(part)))
    twin = Address(
        f"{path}/norm", "norm", "f", "get, set", f"{path}, normalised to 0..1.", 0, 1,
        free=control.free and not control.choices, when=control.when, param=control.name,
    )  # fmt: skip
    return itself, twin


@dataclass(frozen=True)
class AddressSpace:
    """Every address for one table of controls."""

    table: ControlTable

    @cached_property
    def addresses(self) -> tuple[Address, ...]:
        """All of them: the controls in the table's order, then the fixed addresses."""
        controls = (a for control in self.table for a in _control(control))
        return (*(a for a in controls if a.path not in FIXED_BY_PATH), *FIXED)

    @cached_property
    def by_path(self) -> dict[str, Address]:
        """Every address by its path."""
        return {a.path: a for a in self.addresses}

    @cached_property
    def controls(self) -> dict[str, Address]:
        """The controls and their normalised values, by path."""
        return {a.path: a for a in self.addresses if a.kind in ("control", "norm")}

    @cached_property
    def control_paths(self) -> frozenset[str]:
        """The paths of the controls, without their normalised values."""
        return frozenset(a.path for a in self.addresses if a.kind == "control")

    def of(self, name: str) -> Address:
        """The address of a control, or of the part of one, by its full or short name.

        Raises
        ------
        ConfigError
            There is no such control.
        """
        path = control_address(self.table[name].name)
        found = self.by_path.get(path)
        if found is None:
            raise ConfigError(f"{path} is not the address of a control")
        return found


@lru_cache(maxsize=8)
def address_space(table: ControlTable) -> AddressSpace:
    """The address space of a table."""
    return AddressSpace(table)
