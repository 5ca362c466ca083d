"""Whether the stages of a manifest fit each other. Pure data: any thread, any process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.controls.pack_controls import earlier_controls
from engine.errors import PackError

if TYPE_CHECKING:
    from engine.packs.manifest import Manifest


def check_cascade(path: Path, manifest: Manifest) -> None:
    """Check a manifest's stages against each other.

    Raises
    ------
    PackError
        Naming the stage and the field that do not fit.
    """
    names: list[str] = []
    seconds = manifest.block_samples
    for i, stage in enumerate(manifest.stages):
        where = f"{path}: stage {stage.name!r}"
        if stage.name in names or not stage.name.isidentifier():
            raise PackError(f"{where}: names of stages are words, each its own")
        if stage.represents == "notes" and (i or stage.hop == 0 or stage.continuing != "prefix"):
            raise PackError(f"{where}: notes come first, with a hop and continuing = 'prefix'")
        if stage.continuing == "prefix" and not stage.context_frames:
            raise PackError(f"{where}: context_frames is missing; continuing by prefix needs it")
        if stage.after and stage.after not in names:
            earlier = ", ".join(names) or "none"
            raise PackError(f"{where}: after is {stage.after!r}; earlier stages are {earlier}")
        if stage.frames * manifest.hop(stage) != seconds:
            raise PackError(
                f"{where}: a block is {stage.frames * manifest.hop(stage)} samples; "
                f"the last stage's is {seconds}"
            )
        try:
            earlier_controls(stage.controls)
        except PackError as error:
            raise PackError(f"{where}: {error}") from None
        names.append(stage.name)
    if manifest.sound.represents != "spectrum":
        raise PackError(f"{path}: the last stage makes {manifest.sound.represents}, not sound")
