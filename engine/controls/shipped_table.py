"""The table of an instrument that plays the shipped pack, known without opening a pack.

The command line makes its options from it, and the documentation lists it. Pure data.
"""

from __future__ import annotations

from engine.controls.engine_controls import ENGINE_CONTROLS
from engine.controls.pack_controls import EARLIER_CONTROLS
from engine.controls.table import ControlTable

__all__ = ["SHIPPED_TABLE"]

SHIPPED_TABLE = ControlTable.merged(ENGINE_CONTROLS, EARLIER_CONTROLS)
