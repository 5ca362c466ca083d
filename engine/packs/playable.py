"""Whether this player can play what a manifest describes, beyond the form of its fields.

Pure data: any thread, any process. What only the graphs can show is checked when they are opened
(engine/packs/sessions.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import ConfigError, PackError
from engine.sampling.samplers import table_for
from engine.sampling.schedules import Schedule, make_schedule

if TYPE_CHECKING:
    from engine.packs.manifest import Manifest, Stage

__all__ = ["check_playable"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_playable(path: Path, manifest: Manifest) -> None:
    """Refuse values that are well-formed and cannot be played.

    Raises
    ------
    PackError
        Naming the field, its value and what can be played.
    """
    if not _NAME.fullmatch(manifest.name):
        raise PackError(
            f"{path}: pack.name is {manifest.name!r}; use letters, digits, dots and dashes"
        )
    _check_representation(path, manifest)
    listed = [manifest.representation.mean, manifest.golden]
    for stage in manifest.stages:
        listed += [stage.context, stage.step]
        _check_unused(path, manifest, stage)
        _check_sampling(path, stage)
    for name in [*listed, *filter(None, [manifest.transcription])]:
        manifest.path(name)


def _check_representation(path: Path, manifest: Manifest) -> None:
    r = manifest.representation
    if r.window % 2 or r.window % r.hop or r.window < 2 * r.hop:
        raise PackError(
            f"{path}: representation.window is {r.window} with hop {r.hop}; the window has to be "
            "even and a multiple of the hop, at least twice"
        )
    if r.phase:  # rare, and it takes a while to load
        from engine.representations.phase_stream import PHASE_KINDS

        if r.phase not in PHASE_KINDS:
            raise PackError(
                f"{path}: representation.phase is {r.phase!r}; it takes {', '.join(PHASE_KINDS)}"
            )


def _check_unused(path: Path, manifest: Manifest, stage: Stage) -> None:
    """Refuse what the player would pass over in silence."""
    where = f"{path}: stage {stage.name!r}"
    if stage.represents == "spectrum" and stage.hop:
        raise PackError(f"{where}: hop is of notes; a spectrum has the representation's")
    if stage.continuing == "embed" and stage.context_frames:
        raise PackError(f"{where}: context_frames is of prefix; embed uses the block before")
    if not stage.after and (stage.history or stage.lookahead):
        raise PackError(f"{where}: history and lookahead need 'after', the stage they are of")
    notes = manifest.notes
    ahead = [s.name for s in manifest.stages if s.lookahead]
    if stage.lookahead and (notes is None or stage.after != notes.name or len(ahead) > 1):
        raise PackError(f"{where}: only one stage can have lookahead, and only to a notes stage")


def _check_sampling(path: Path, stage: Stage) -> None:
    where = f"{path}: stage {stage.name!r}"
    if stage.min_steps > stage.steps:
        raise PackError(
            f"{where}: min_steps is {stage.min_steps}; it takes 1 to steps, {stage.steps}"
        )

    def schedule(intervals: int) -> Schedule:
        return make_schedule(stage.schedule, intervals, **stage.schedule_options)

    try:
        for steps in {stage.min_steps, stage.steps}:
            table = table_for(stage.sampler, steps, schedule)
            columns = (table.alpha, table.sigma, table.a, table.b, table.c, table.d)
            if not all(np.isfinite(column).all() for column in columns):
                raise ConfigError(f"schedule_options {dict(stage.schedule_options)}: not finite")
    except (ConfigError, TypeError, ValueError, ArithmeticError) as error:
        raise PackError(f"{where}: {error}") from error
