"""Mappings of MIDI controllers to controls and actions.

Channels count from 1 to 16; 0 is any channel. Pure data, any thread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.controls.control import PITCH_CLASSES
from engine.controls.engine_controls import ENGINE_CONTROLS
from engine.errors import ConfigError
from midi.relative import MODES, Mode

__all__ = [
    "ACTIONS",
    "ANY",
    "KINDS",
    "Kind",
    "Mapping",
    "Source",
    "checked_mode",
    "checked_target",
    "with_mode",
]

Kind = Literal["cc", "cc14", "nrpn", "rpn", "bend", "pressure", "note"]
# The highest number of each kind; pitch bend and channel pressure have none. The highest of 14
# bits, 127 and 127, selects no parameter (MIDI 1.0 Detailed Specification, RPN and NRPN).
KINDS: dict[Kind, int] = {
    "cc": 119, "cc14": 31, "nrpn": 16382, "rpn": 16382, "bend": 0, "pressure": 0, "note": 127,
}  # fmt: skip
ANY = 0  # every channel
_NAME = re.compile(r"(pack|chain)(/[a-z0-9_]{1,64}){1,3}")  # of any pack or chain
_OF_ENGINE = frozenset(control.name for control in ENGINE_CONTROLS)
# The targets of files that were written before a pack brought its controls.
_EARLIER = {
    **{f"harmony_{name}": f"pack/harmony/{name}" for name in PITCH_CLASSES},
    **{name: f"pack/{name}" for name in (
        "register", "density", "loudness", "style", "instrument", "room", "brightness",
    )},
    "lock_gain": "lock/gain", "lock_seed": "lock/seed",
}  # fmt: skip
ACTIONS = (
    "play", "stop", "panic", "reset", "record", "snapshot/take", "snapshot/recall",
    "go_back/beats", "go_back/bars", "go_back/blocks", "fork",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A controller.

    Attributes
    ----------
    kind : `cc`; `cc14`, a pair of which the second, finer one is `number` + 32; `nrpn` and `rpn`,
        a parameter that CC 98 to 101 select and CC 6, 38, 96 and 97 change; `bend`; `pressure` of
        a channel; `note`, a key or pad as a switch.
    number : of the controller, parameter or key; 0 where there is none.
    channel : 1 to 16, or 0 for any.
    """

    kind: Kind
    number: int = 0
    channel: int = ANY

    def __str__(self) -> str:
        what = {
            "cc": f"CC {self.number}", "cc14": f"CC {self.number} and {self.number + 32}",
            "nrpn": f"NRPN {self.number}", "rpn": f"RPN {self.number}",
            "bend": "pitch bend", "pressure": "channel pressure", "note": f"note {self.number}",
        }[self.kind]  # fmt: skip
        return f"{what}, {f'channel {self.channel}' if self.channel else 'any channel'}"


@dataclass(frozen=True)
class Mapping:
    """One controller mapped to one target.

    Attributes
    ----------
    target : the full name of a control or of a part of one, or one of `ACTIONS`. A pack that does
        not have the control leaves the mapping as it is.
    low, high : the part of the control's range, from 0 to 1, that it moves through; `low` over
        `high` reverses it.
    mode : how the controller's values are read: as positions, or as steps.
    """

    target: str
    source: Source
    low: float = 0.0
    high: float = 1.0
    mode: Mode = "absolute"

    @property
    def controller(self) -> str:
        """The controller in words."""
        return f"{self.source}{'' if self.mode == 'absolute' else f', relative, {self.mode}'}"


def checked_target(target: str) -> str:
    """The full name of a control or an action; translates names of earlier versions.

    Raises
    ------
    ConfigError
        It is not a valid name of a control.
    """
    if target in ACTIONS:
        return target
    target = _EARLIER.get(target, target)
    if target not in _OF_ENGINE and not _NAME.fullmatch(target):
        raise ConfigError(
            f"midi: {target[:60]!r} is neither a control nor one of {', '.join(ACTIONS)}; "
            "'attacca osc' lists the controls"
        )
    return target


def checked_mode(target: str, mode: str) -> Mode:
    """Check the mode of a controller of `target`.

    Raises
    ------
    ConfigError
        The mode does not exist, or `target` is an action, which needs a button.
    """
    for known in MODES:
        if known == mode:
            if target in ACTIONS and known != "absolute":
                raise ConfigError(f"midi: {target} is an action; use the mode absolute")
            return known
    raise ConfigError(f"midi: mode {mode[:60]!r} is unknown; use one of {', '.join(MODES)}")


def with_mode(mappings: Sequence[Mapping], target: str, mode: str) -> tuple[Mapping, ...]:
    """The mappings, with another mode for the controller of `target`.

    Raises
    ------
    ConfigError
        The mode does not exist or apply, or no controller is mapped to it.
    """
    chosen = checked_mode(target, mode)
    if not any(m.target == target for m in mappings):
        raise ConfigError(f"midi: no controller is mapped to {target[:60]}; learn one first")
    return tuple(replace(m, mode=chosen) if m.target == target else m for m in mappings)
