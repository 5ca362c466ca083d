"""Where the small pack for tests lies: in a module of its own, since several are named conftest."""

from __future__ import annotations

from pathlib import Path

TINY = Path(__file__).parent / "data" / "packs" / "tiny"
