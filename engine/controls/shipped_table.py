"""The control table of the shipped pack, without opening the pack.

The options of the command line and the documentation are generated from it. Pure data.
"""

from __future__ import annotations

from engine.controls.engine_controls import ENGINE_CONTROLS
from engine.controls.pack_controls import EARLIER_CONTROLS
from engine.controls.table import ControlTable

__all__ = ["SHIPPED_TABLE"]

SHIPPED_TABLE = ControlTable.merged(ENGINE_CONTROLS, EARLIER_CONTROLS)
