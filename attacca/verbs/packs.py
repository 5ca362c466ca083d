"""`attacca packs`: the packs installed, whether they are whole, and what each can do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attacca.pack import Pack

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "packs", help="list the packs", description=__doc__, allow_abbrev=False,
        epilog="Exit status 1 when a pack is damaged or fails its test.",
    )  # fmt: skip
    parser.add_argument(
        "words", nargs="*", metavar="[show] NAME",
        help="one pack, by name or folder; with 'show' its plan: signals, stages, delays, controls",
    )  # fmt: skip
    parser.add_argument(
        "--test",
        action="store_true",
        help="run the golden vectors: does this machine compute right",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the packs. Returns the exit status.

    Raises
    ------
    PackError
        The pack that was named is not there, or there is none at all, or its plan cannot be shown.
    ConfigError
        Several packs are named.
    """
    from engine.errors import ConfigError
    from engine.packs.discovery import DEFAULT, find_pack, installed_packs

    words = list(args.words)
    show = words[:1] == ["show"]
    names = words[1:] if show else words
    if len(names) > 1 or (show and (not names or args.test)):
        raise ConfigError(
            f"'packs {' '.join(words)}' is not one pack; enter one name, such as "
            f"'attacca packs {'show ' if show else ''}{DEFAULT}'"
        )
    if show:
        return _show_plan(find_pack(names[0]))
    if names:
        folders = [find_pack(names[0])]
    else:
        folders = list(installed_packs().values()) or [find_pack(DEFAULT)]
    sound = [_show(folder, test=args.test) for folder in folders]
    return 0 if all(sound) else 1


def _show_plan(folder: Path) -> int:
    from attacca.terminal.plan_view import plan_lines
    from engine.packs.plan import make_plan
    from engine.packs.read import read_manifest

    manifest = read_manifest(folder)
    print("\n".join(plan_lines(manifest, make_plan(manifest))))
    return 0


def _show(folder: Path, *, test: bool) -> bool:
    """Print one pack. Returns whether it is sound."""
    from attacca.pack import Pack
    from engine.errors import PackError

    try:
        pack = Pack.open(folder)
        pack.verify()
    except PackError as error:
        print(f"{folder.name}: damaged: {error}")
        return False
    print("\n".join(_lines(pack)))
    if not test:
        print("  self-test  files verified; --test runs the golden vectors")
        return True
    try:
        result = pack.self_test()
    except PackError as error:
        print(f"  self-test  FAILED: {error}")
        return False
    verdict = "passed" if result.passed else "FAILED: this machine computes otherwise"
    print(f"  self-test  {verdict} (worst {result.worst:.1e}, bound {result.tolerance:.0e})")
    return result.passed


def _lines(pack: Pack) -> list[str]:
    from engine.pack_settings import first_sampling
    from engine.packs.plan import block_seconds

    m = pack.manifest
    channels = "mono" if m.channels == 1 else "stereo"
    lines = [
        f"{m.name} {m.version}: {m.title}",
        f"  folder     {m.folder}",
        f"  audio      {m.rate} Hz {channels}, blocks of {block_seconds(m):.3f} s",
    ]
    for stage in m.sampled:
        steps = stage.sampling.steps
        lines.append(
            f"  {stage.name if len(m.sampled) > 1 else 'steps':9}  {steps.default} steps "
            f"({stage.sampling.sampler}), no fewer than {steps.least} when late"
        )
    branches = {"": "no", "past": "yes", "controls": "yes, by its controls"}
    names = sorted(control.short for control in m.controls)
    lines += [
        f"  guidance   {branches[first_sampling(m).guidance.branch]}",
        f"  controls   {', '.join(names) or 'none of its own'}",
    ]
    if m.transcription:
        lines.append("  listens    to sound, and answers in notes")
    return [
        *lines,
        f"  licence    {m.licence}",
        *(f"  {'credits' if i == 0 else '':9}  {line}" for i, line in enumerate(m.credits)),
    ]
