"""From the controls as they are set to the request of one block. Pure functions."""

from __future__ import annotations

from typing import Any

from engine.packs.plan import Plan
from engine.params import HARMONY, PARAMS, Settings
from engine.stages.request import Request, StageRequest

__all__ = ["make_request"]


def make_request(
    plan: Plan,
    settings: Settings,
    index: int,
    steps: int,
    stride: float,
    *,
    whole: bool,
    held: tuple[int, ...] = (),
) -> Request:
    """The request of the next block.

    Parameters
    ----------
    steps : network evaluations of the first sampled stage. Later ones take their share of less, and
        never more than their own default: that is the number at which their blocks continue each
        other best.
    stride : share of a block that is kept.
    whole : keep whole blocks: of the first block of a piece, which becomes the past, and of a
        phrase.
    """
    sampled = [p.stage for p in plan.stages if p.stage.kind == "diffusion"]
    share = min(1.0, steps / sampled[0].sampling.steps.default) if sampled else 1.0
    stages: dict[str, StageRequest] = {}
    for p in plan.stages:
        stage = p.stage
        if stage.kind == "transform":
            continue
        own = stage.sampling
        own_steps = max(1, round(own.steps.default * share))
        warm = settings.number("temperature") if "temperature" in stage.controls else None
        stages[stage.name] = StageRequest(
            keep=stage.block if whole else p.kept(stride),
            steps=steps if sampled and stage is sampled[0] else own_steps,
            sampler=str(settings["sampler"]),
            temperature=own.temperature if warm is None else warm,
            guidance=settings.number("guidance"),
        )
    return Request(index, int(settings.number("seed")), stages, pack_values(settings, held))


def pack_values(settings: Settings, held: tuple[int, ...]) -> dict[str, Any]:
    """The values of the pack's controls by their short names."""
    values: dict[str, Any] = {p.name: settings[p.name] for p in PARAMS if p.packs}
    weights = tuple(float(values.pop(name)) for name in HARMONY)
    return {**values, "harmony": weights if any(weights) else "free", "held": held}
