"""`attacca play`: play endless music on a sound device or into a file."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attacca.midi_options import add_midi, midi_of
from attacca.options import add_playing, checked, chosen, set_others
from attacca.osc_options import add_osc, osc_of
from attacca.tempo_options import add_tempo, tempo_of
from engine.arguments import HISTORY, LONGEST_HISTORY
from engine.controls.control import Control

if TYPE_CHECKING:
    from attacca.seed_input import SeedInput
    from attacca.terminal.keys import Keys
    from attacca.terminal.stopping import Stopping
    from engine.instrument import Instrument
    from engine.status import Event

__all__ = ["add", "add_options", "new_seed", "run"]

_DURATION = Control("duration", "number", 1.0, "live", "", 0.1, 31_536_000.0, "s")
_HISTORY = Control("history", "number", HISTORY, "live", "", 0.0, LONGEST_HISTORY, "s")
_HIGHEST_SEED = 999_999  # short enough to type again


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "play", help="play endless music", description=__doc__, allow_abbrev=False,
        epilog="Keys: space pause, r record, s new seed, n new piece, + - steps, [ ] gain, b back "
        "a bar, k take a snapshot, l return to the last one, f fork, p panic, q quit.",
    )  # fmt: skip
    add_options(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options; `attacca gui` accepts them as well and passes them on."""
    add_playing(parser)
    parser.add_argument(
        "--device", default="default", metavar="NAME",
        help="name of the sound device or part of it, none, or default-or-none: the default "
        "device, or none if there is no device (see 'attacca devices')",
    )  # fmt: skip
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="record to FILE (.flac, .wav or .ogg)"
    )
    parser.add_argument(
        "--duration", type=checked(_DURATION), metavar="SECONDS", help="end after this time"
    )
    parser.add_argument(
        "--history", type=checked(_HISTORY), metavar="SECONDS",
        help=f"how far the music can go back ({_HISTORY.default:g} s), where 256 MB are enough",
    )  # fmt: skip
    add_osc(parser)
    add_tempo(parser)
    add_midi(parser)
    parser.add_argument(
        "--no-status", action="store_true", help="print no status, only the result at the end"
    )


def new_seed() -> int:
    """A random seed."""
    return random.SystemRandom().randint(1, _HIGHEST_SEED)


def run(args: argparse.Namespace) -> int:
    """Play until the user or a signal stops it. Returns the exit status."""
    from attacca.terminal.output import tolerant_output
    from attacca.terminal.stopping import Stopping

    with Stopping() as stopping, tolerant_output():
        from attacca.seed_input import read_seed_input, refuse_replacing_inputs
        from attacca.terminal.displays import choose_display
        from attacca.terminal.keys import NoKeys, open_keys
        from attacca.terminal.performance import Performance
        from engine.audio.take_names import NewTake
        from engine.errors import StorageError
        from engine.instrument import Instrument
        from engine.packs.discovery import user_folder
        from engine.snapshots import Snapshots
        from engine.time.clock import SystemClock

        refuse_replacing_inputs(args, args.record)
        clock = SystemClock()
        controls = chosen(args, new_seed)
        with Instrument(
            args.pack,
            latency=args.latency,
            threads=args.threads,
            target=args.target,
            clock=clock,
            history=HISTORY if args.history is None else args.history,
            **controls,
        ) as instrument:
            set_others(args, instrument)
            first = read_seed_input(args, instrument)
            record: Path | None = args.record
            keys = open_keys()
            there = not isinstance(keys, NoKeys)

            def ask() -> str:
                return _ask(keys, stopping) if there and record is None else "m"

            try:
                to_file = _start(instrument, args.device, first, ask, stopping)
            except KeyboardInterrupt:  # Ctrl-C is the normal way to end, also before it plays
                return 0
            if to_file is None:
                return 0
            display = choose_display(status=not args.no_status, keys=there)
            performance = Performance(
                instrument, display, keys, stopping,
                clock=clock, duration=args.duration, new_seed=new_seed,
                snapshots=Snapshots(user_folder() / "snapshots"),
            )  # fmt: skip
            if record is not None or to_file:
                performance.record_to(record or NewTake(Path()))
            with (
                tempo_of(args, instrument) as clock, midi_of(args, instrument, clock.take) as midi,
                osc_of(args, instrument, stopping.request, midi) as osc, keys, display,
            ):  # fmt: skip
                performance.more_errors = lambda: {
                    **(osc.errors if osc is not None else {}),
                    **(midi.errors if midi is not None else {}),
                }
                played = performance.run()
                # Close the recording first: MIDI may wait for the sound server too.
                instrument.close()
            recording_problem = instrument.recording_problem
        print(played, flush=True)
        if recording_problem:
            raise StorageError(recording_problem)
    return 0


def _start(
    instrument: Instrument,
    device: str,
    first: SeedInput,
    ask: Callable[[], str],
    stopping: Stopping,
) -> bool | None:
    """Start on the device, or without one. Returns whether to record, or None to quit.

    A device chosen by name has to exist. If there is no default device, `ask` asks what to do:
    f (record to a file), m (meter only) or q (quit).

    A signal while a device or a pack opens raises KeyboardInterrupt.

    Raises
    ------
    AttaccaError
        The pack, a value, or the device chosen by name cannot be used.
    """
    from engine.errors import DeviceError

    def play(into: str | None) -> None:
        with stopping.at_once():
            instrument.play(into, past=first.past, phrase=first.phrase)

    if device == "none":
        play(None)
        return False
    stop = instrument.listen(_print_device_event)
    try:
        play(device)
    except DeviceError as error:
        if device != "default":
            raise
        print(
            f"attacca: {error} (`attacca doctor` says how to fix it)", file=sys.stderr, flush=True
        )
        answer = ask()
        if answer == "q":
            return None
        play(None)
        return answer == "f"
    finally:
        stop()
    return False


def _print_device_event(event: Event) -> None:
    """Print events of the device while playing starts, when no display is open yet."""
    if event.kind == "device":
        print(f"attacca: {event.text}", file=sys.stderr, flush=True)


def _ask(keys: Keys, stopping: Stopping) -> str:
    """Ask with one key what to do without a sound device: f, m or q."""
    answer = ""
    with keys:
        question = "record to a [f]ile, show the [m]eter only, or [q]uit? "
        print(question, end="", file=sys.stderr, flush=True)
        while not answer and not stopping.requested:
            try:
                answer = next((k for k in keys.poll(0.1) if k in ("f", "m", "q")), "")
            except EOFError:
                break
    print(answer or "q", file=sys.stderr, flush=True)
    return answer or "q"
