"""The controls of an instrument that plays a pack, and their values for it. Pure functions."""

from __future__ import annotations

from dataclasses import replace

from engine.controls.engine_controls import ENGINE_CONTROLS
from engine.controls.settings import Settings
from engine.controls.table import ControlTable
from engine.packs.manifest import Manifest
from engine.packs.stages import Sampling

__all__ = ["control_table", "first_sampling", "settings_for"]


def first_sampling(manifest: Manifest) -> Sampling:
    """How the pack samples its first diffusion stage: the defaults of the engine's controls."""
    return manifest.sampled[0].sampling if manifest.sampled else Sampling()


def control_table(manifest: Manifest) -> ControlTable:
    """The controls of the engine, with the pack's defaults, and those of the pack."""
    first = first_sampling(manifest)
    own = {
        "steps": first.steps.default, "temperature": first.temperature,
        "guidance": first.guidance.scale,
    }  # fmt: skip
    engine = (replace(c, default=own.get(c.name, c.default)) for c in ENGINE_CONTROLS)
    return ControlTable.merged(engine, manifest.controls)


def settings_for(settings: Settings, manifest: Manifest, stride: float) -> Settings:
    """Settings for a pack: its own steps, temperature and guidance, and other values where valid.

    Parameters
    ----------
    settings : of the pack before.
    manifest : of the new pack.
    stride : in blocks, as the latency requires.
    """
    table = control_table(manifest)
    own = {name: table[name].default for name in ("steps", "temperature", "guidance")}
    return settings.moved_to(table).changed({**own, "stride": stride})
