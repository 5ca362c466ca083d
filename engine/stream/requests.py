"""Requests of blocks: from the controls as they are set to what each stage does. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.controls.settings import Settings
from engine.packs.plan import Plan
from engine.stages.request import PACKS_OWN, Request, StageRequest
from engine.time.tempo_map import Pace

__all__ = ["make_request", "request_from"]

_PACE = Pace()


def make_request(
    plan: Plan,
    index: int,
    *,
    steps: int | None = None,
    stride: float = 1.0,
    seed: int = 1,
    sampler: str = PACKS_OWN,
    temperature: float | None = None,
    guidance: float | None = None,
    controls: Mapping[str, Any] | None = None,
    pace: Pace = _PACE,
) -> Request:
    """The request of one block.

    Parameters
    ----------
    steps : network evaluations of the first sampled stage; None for its default. Later ones take
        their share of less, and never more than their own default: that is the number at which
        their blocks continue each other best.
    stride : share of a block that is kept.
    temperature : of the stages that name that control; None for their own.
    guidance : scale, of every stage that has a branch for it; None for their own.
    """
    sampled = [p.stage for p in plan.stages if p.stage.kind == "diffusion"]
    share = 1.0
    if sampled and steps is not None:
        share = min(1.0, steps / sampled[0].sampling.steps.default)
    stages: dict[str, StageRequest] = {}
    for p in plan.stages:
        stage, own = p.stage, p.stage.sampling
        if stage.kind == "transform":
            continue
        first = bool(sampled) and stage is sampled[0]
        warm = temperature is not None and "temperature" in stage.controls
        stages[stage.name] = StageRequest(
            keep=p.kept(stride),
            steps=steps if first and steps else max(1, round(own.steps.default * share)),
            sampler=sampler,
            temperature=temperature if warm and temperature is not None else own.temperature,
            guidance=own.guidance.scale if guidance is None else guidance,
        )
    return Request(index, seed, stages, controls or {}, pace)


def request_from(
    plan: Plan, settings: Settings, index: int, steps: int, stride: float, pace: Pace
) -> Request:
    """The request of the next block with the controls as they are set, at the governor's `steps`
    and `stride` and the present tempo.
    """
    return make_request(
        plan, index, steps=steps, stride=stride, seed=int(settings.number("seed")),
        sampler=str(settings["sampler"]), temperature=settings.number("temperature"),
        guidance=settings.number("guidance"),
        controls={c.short: settings.values[c.name] for c in settings.table.pack}, pace=pace,
    )  # fmt: skip
