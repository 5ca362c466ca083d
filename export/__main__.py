"""Export a trained checkpoint as a pack: `python -m export CHECKPOINT --out packs/NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from engine.errors import AttaccaError, ConfigError, StorageError
from export.contents import Card, Sampling, System
from export.pack import write_pack
from export.systems import cascade, spectrogram

__all__ = ["main", "run"]

SYSTEMS: dict[str, System] = {"spectrogram": spectrogram.SYSTEM, "cascade": cascade.SYSTEM}
_ABOUT = {
    "sampler": "sampler", "steps": "network evaluations per block",
    "min_steps": "fewest network evaluations per block", "temperature": "temperature",
    "guidance": "guidance", "sigma_max": "noise level that sampling starts at",
    "sigma_min": "last noise level above 0", "rho": "spacing of the levels between",
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """argparse, with one line for an error instead of a page."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise ConfigError(f"{' '.join(message.split())}; see '{self.prog} --help'")


def main() -> int:
    """Export by the command line. Returns the exit status."""
    try:
        return run(sys.argv[1:], "python -m export")
    except (AttaccaError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


def run(arguments: Sequence[str], program: str) -> int:
    """Export by `arguments`. Returns the exit status.

    Raises
    ------
    ConfigError, PackError, StorageError
        With a message of one line.
    """
    options = _parser(program).parse_args(arguments)
    try:
        notes = options.card.read_text("utf-8") if options.card else ""
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"--card {options.card} cannot be read: {error}") from error
    card = Card(
        options.out.name, options.title, options.licence, tuple(options.credit), options.version,
        notes,
    )  # fmt: skip
    name, checkpoints = _system(options)
    sampling = {
        stage: _sampling(options, default, _prefix(SYSTEMS[name], stage))
        for stage, default in SYSTEMS[name].stages.items()
    }
    contents = SYSTEMS[name].read(checkpoints, sampling)
    worst = write_pack(contents, card, options.out, options.transcription)
    size = sum(f.stat().st_size for f in options.out.iterdir()) / 1e6
    print(
        f"{options.out}: {size:.1f} MB; torch and ONNX differ by at most {worst:.1e} of a step's "
        "deviation"
    )
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=program, description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of a run (of its last stage)")
    parser.add_argument(
        "--out", type=Path, required=True, help="the pack's folder, named as the pack"
    )
    parser.add_argument("--title", required=True, help="a description of the pack in one line")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument(
        "--licence", required=True, metavar="SPDX", help="of the weights, such as CC-BY-4.0"
    )
    parser.add_argument(
        "--credit", action="append", required=True, metavar="LINE",
        help="an author of its data, and the licence; may be repeated",
    )  # fmt: skip
    parser.add_argument("--card", type=Path, help="Markdown to put into the model card")
    parser.add_argument(
        "--transcription",
        type=Path,
        help="an ONNX graph that turns sound into notes; basic-pitch's is credited automatically",
    )
    parser.add_argument(
        "--system", choices=SYSTEMS,
        help="the system of the checkpoint, by default that with exactly these stages: "
        + "; ".join(f"{name}: {system.about}" for name, system in SYSTEMS.items()),
    )  # fmt: skip
    prefixes: dict[str, None] = {}
    for system in SYSTEMS.values():
        prefixes |= {_prefix(system, stage): None for stage in system.stages}
    for prefix in prefixes:
        stage = prefix.rstrip("-")
        if stage:
            parser.add_argument(
                f"--{stage}", type=Path, metavar="CHECKPOINT",
                help=f"checkpoint.pt of the stage {stage!r}",
            )  # fmt: skip
        for f in fields(Sampling):
            parser.add_argument(
                f"--{prefix}{f.name.replace('_', '-')}", type=type(f.default),
                help=_ABOUT[f.name] + (f" of the stage {stage!r}" if stage else ""),
            )  # fmt: skip
    return parser


def _prefix(system: System, stage: str) -> str:
    """The prefix of a stage's options: empty for the last one."""
    return "" if stage == list(system.stages)[-1] else f"{stage}-"


def _system(options: argparse.Namespace) -> tuple[str, dict[str, Path]]:
    """The system to export, and the checkpoint of each of its stages."""
    found = {}
    for name, system in SYSTEMS.items():
        *others, last = system.stages
        files = {stage: getattr(options, stage) for stage in others}
        found[name] = {**files, last: options.checkpoint}
    if options.system:
        missing = [stage for stage, path in found[options.system].items() if path is None]
        if missing:
            raise ConfigError(
                f"System {options.system!r} needs a checkpoint of the stage {missing[0]!r}. Use "
                f"--{missing[0]} CHECKPOINT."
            )
        return options.system, found[options.system]
    complete = [name for name, files in found.items() if None not in files.values()]
    name = max(complete, key=lambda name: len(found[name]))
    return name, found[name]


def _sampling(options: argparse.Namespace, default: Sampling, prefix: str) -> Sampling:
    """A stage's sampling: its defaults with the changes of the command line."""
    values = {}
    for f in fields(Sampling):
        entered = getattr(options, f"{prefix}{f.name}".replace("-", "_"))
        values[f.name] = getattr(default, f.name) if entered is None else entered
    return Sampling(**values)


if __name__ == "__main__":
    raise SystemExit(main())
