"""Everything that a controller shows: all controls and buttons of the address space. Pure data.

A template lays these out in its own way and uses no other source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.controls.control import FREE
from osc.address import Address
from osc.addresses import AddressSpace

__all__ = ["Button", "Knob", "Surface", "plain", "surface"]


@dataclass(frozen=True)
class Knob:
    """A control as a controller needs it.

    Attributes
    ----------
    look : `float`, `int`, `switch` or `choice`.
    low, high : in its own unit; for a choice, the first and last index.
    default : a number in the same unit (for a choice an index), or None for the word `free`.
    """

    path: str
    look: Literal["float", "int", "switch", "choice"]
    low: float
    high: float
    default: float | None
    unit: str
    choices: tuple[str, ...]
    free: bool
    about: str

    @property
    def label(self) -> str:
        """The name to display, with the unit."""
        name = self.path[1:].replace("_sharp", "#").replace("/", " ")
        return f"{name} ({self.unit})" if self.unit else name

    @property
    def start(self) -> float:
        """The initial position of its handle; the low end for `free`."""
        return self.low if self.default is None else self.default

    @property
    def normalised_start(self) -> float:
        """The same, normalised to 0..1."""
        return (self.start - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Button:
    """A button, which acts on 1."""

    path: str
    about: str


@dataclass(frozen=True)
class Surface:
    """All controls and buttons, in the order of the address space."""

    knobs: tuple[Knob, ...]
    buttons: tuple[Button, ...]


def surface(space: AddressSpace) -> Surface:
    """The controls that have a position, and the buttons and actions.

    Texts, chords and keys have none; pitch classes are shown class by class.
    """
    controls = [
        (a, space.table[a.param]) for a in space.addresses
        if a.kind == "control" and space.table[a.param].has_position
    ]  # fmt: skip
    return Surface(
        tuple(_knob(a) for a, control in controls if control.kind != "action"),
        (
            *(Button(a.path, a.about) for a, control in controls if control.kind == "action"),
            *(
                Button(a.path, a.about)
                for a in space.addresses
                if a.kind == "button" or a.has_button
            ),
        ),
    )


def plain(number: float) -> str:
    """A number as text, without a decimal point if it is whole."""
    return f"{number:.12g}"


def _knob(a: Address) -> Knob:
    looks: dict[str, Literal["float", "int"]] = {"f": "float", "i": "int"}
    if a.choices:
        default = float(a.choices.index(str(a.default)))
        return Knob(
            a.path, "choice", 0, len(a.choices) - 1, default, a.unit, a.choices, a.free, a.about
        )
    assert a.low is not None
    assert a.high is not None
    assert isinstance(a.default, (int, float, str))
    return Knob(
        a.path, "switch" if isinstance(a.default, bool) else looks[a.types], a.low, a.high,
        None if a.default == FREE else float(a.default), a.unit, (), a.free, a.about,
    )  # fmt: skip
