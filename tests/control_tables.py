"""Tables of controls for tests: the engine's own (all that the tiny pack has), and the shipped."""

from __future__ import annotations

from engine.controls.engine_controls import ENGINE_CONTROLS
from engine.controls.settings import Settings
from engine.controls.shipped_table import SHIPPED_TABLE
from engine.controls.table import ControlTable
from osc.addresses import address_space

__all__ = [
    "ENGINE_SPACE", "ENGINE_TABLE", "ENGINE_TURNED", "SHIPPED_SPACE", "SHIPPED_TABLE",
    "SHIPPED_TURNED", "engine_settings", "shipped_settings",
]  # fmt: skip

ENGINE_TABLE = ControlTable(ENGINE_CONTROLS)
ENGINE_SPACE, SHIPPED_SPACE = address_space(ENGINE_TABLE), address_space(SHIPPED_TABLE)
# What a knob, a fader or a switch can show.
SHIPPED_TURNED = tuple(c for c in SHIPPED_TABLE.with_parts if c.has_position)
ENGINE_TURNED = tuple(c for c in ENGINE_TABLE if c.has_position)


def engine_settings(**changes: object) -> Settings:
    """The engine's controls at their defaults, but for changes."""
    return Settings.defaults(ENGINE_TABLE, **changes)


def shipped_settings(**changes: object) -> Settings:
    """The shipped pack's controls at their defaults, but for changes."""
    return Settings.defaults(SHIPPED_TABLE, **changes)
