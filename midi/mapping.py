"""What moves what: controllers of a MIDI device on one side, controls and actions on the other.

Channels count from 1 to 16 here, as people do; 0 is any channel. Pure data, any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.errors import ConfigError
from engine.params import PARAMS

__all__ = ["ACTIONS", "ANY", "KINDS", "Kind", "Mapping", "Source", "checked_target"]

Kind = Literal["cc", "cc14", "bend", "pressure", "note"]
# The highest number of each kind; pitch bend and channel pressure have none.
KINDS: dict[Kind, int] = {"cc": 119, "cc14": 31, "bend": 0, "pressure": 0, "note": 127}
ANY = 0  # every channel
ACTIONS = ("play", "stop", "panic", "reset", "record")


@dataclass(frozen=True)
class Source:
    """A controller.

    Attributes
    ----------
    kind : `cc`; `cc14`, a pair of which the second, finer one is `number` + 32; `bend`;
        `pressure` of a channel; `note`, a key or pad as a switch.
    number : of the controller or the key; 0 where there is none.
    channel : 1 to 16, or 0 for any.
    """

    kind: Kind
    number: int = 0
    channel: int = ANY

    def __str__(self) -> str:
        what = {
            "cc": f"CC {self.number}", "cc14": f"CC {self.number} and {self.number + 32}",
            "bend": "pitch bend", "pressure": "channel pressure", "note": f"note {self.number}",
        }[self.kind]  # fmt: skip
        return f"{what}, {f'channel {self.channel}' if self.channel else 'any channel'}"


@dataclass(frozen=True)
class Mapping:
    """One controller moves one target.

    Attributes
    ----------
    target : the name of a control, or one of `ACTIONS`.
    low, high : the part of the control's range, from 0 to 1, that it moves through; `low` over
        `high` turns it round.
    """

    target: str
    source: Source
    low: float = 0.0
    high: float = 1.0


def checked_target(target: str) -> str:
    """The name of a control or an action.

    Raises
    ------
    ConfigError
        It is neither.
    """
    if target in ACTIONS or any(p.name == target for p in PARAMS):
        return target
    raise ConfigError(
        f"midi: {target[:60]!r} is neither a control nor one of {', '.join(ACTIONS)}; "
        "'attacca osc' lists the controls"
    )
