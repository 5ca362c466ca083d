"""Status displays: a live view in a terminal, plain lines in a pipe, or nothing.

Main thread only. A display receives every readout and every event, and decides what to show.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol, TextIO

from attacca.terminal.keys import in_foreground
from attacca.terminal.library_output import LibraryOutput
from attacca.terminal.readout import KEYS_HELP, Readout, bar, clock_time

__all__ = ["Display", "LineDisplay", "LiveDisplay", "SilentDisplay", "choose_display"]

_STATES = {"paused": "yellow", "failing": "bold red"}
LINE_EVERY = 5.0  # seconds between plain lines


class Display(Protocol):
    """Shows the status of a performance."""

    def show(self, readout: Readout) -> None:
        """Show the current state; called about ten times a second."""
        ...

    def event(self, kind: str, text: str) -> None:
        """Show an event."""
        ...

    def __enter__(self) -> Display: ...

    def __exit__(self, *_: object) -> None: ...


class SilentDisplay:
    """Shows nothing (`--no-status`)."""

    def show(self, readout: Readout) -> None:
        """Nothing."""

    def event(self, kind: str, text: str) -> None:
        """Nothing."""

    def __enter__(self) -> SilentDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class LineDisplay(SilentDisplay):
    """One plain line every few seconds and one per event, without control codes.

    Parameters
    ----------
    out : stream to write to.
    every : seconds of the performance between lines.
    """

    def __init__(self, out: TextIO, every: float = LINE_EVERY) -> None:
        self._out, self._every = out, every
        self._next = 0.0

    def show(self, readout: Readout) -> None:
        """Print the state if the interval has passed."""
        if readout.state == "starting" or readout.played < self._next:
            return
        self._next = readout.played + self._every
        self._print(readout.line)

    def event(self, kind: str, text: str) -> None:
        """Print it."""
        self._print(f"{kind}: {text}")

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class LiveDisplay(SilentDisplay):
    """A view in the terminal that updates in place: meters, lead, load, events.

    Lines that libraries write to standard error would break the view, so they are kept and printed
    at the end. The view is not drawn while the program is in the background.

    Parameters
    ----------
    console : rich Console.
    keys : whether to show the help for keys.
    """

    def __init__(self, console: Any, *, keys: bool) -> None:
        from rich.live import Live

        self._console, self._keys = console, keys
        self._plain = "utf" not in (console.encoding or "").lower()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._library_output = LibraryOutput()

    def __enter__(self) -> LiveDisplay:
        self._library_output.__enter__()
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._live.__exit__(None, None, None)
        finally:
            self._library_output.__exit__(None, None, None)

    def show(self, readout: Readout) -> None:
        """Draw it."""
        if self._in_foreground():
            self._live.update(self._draw(readout), refresh=True)

    def _in_foreground(self) -> bool:
        file = self._console.file
        return not file.isatty() or in_foreground(file.fileno())

    def _draw(self, r: Readout) -> Any:
        from rich.text import Text

        dot = "*" if self._plain else "●"
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append("attacca ", "bold").append(f"{r.pack}  ")
        text.append(r.state, _STATES.get(r.state, "green"))
        text.append(f"  {clock_time(r.played)}   seed {r.seed}   gain {r.gain:+.0f} dB\n")
        self._draw_meters(text, r)
        text.append(f"lead {r.lead:4.1f} s   load ")
        text.append(f"{r.load:.2f}", "red" if r.load > 1 else "yellow" if r.load > 0.6 else "")
        text.append(f" (worst {r.worst:.2f})   block {r.block_time:.2f} s   ")
        text.append(f"steps {r.steps_text}", "yellow" if r.eased else "")
        text.append(f" {r.sampler}\n")
        text.append(f"{r.device}   latency {r.live_latency:.2f} s live, ")
        text.append(f"{r.block_latency:.1f} s block   ")
        text.append(f"xruns {r.xruns}   gaps {r.gaps}", "red" if r.xruns or r.gaps else "")
        if r.restarts:
            text.append(f"   restarts {r.restarts}", "red")
        if r.errors:
            text.append(f"\nerrors: {r.errors_text}", "bold red")
        if r.recording:
            text.append(f"\n{dot} recording {r.recording}", "bold red")
        text.append(f"\n{r.last}" if r.last else "", "cyan")
        if self._keys:
            text.append(f"\n{KEYS_HELP}", "dim")
        return text

    def _draw_meters(self, text: Any, r: Readout) -> None:
        blocks = {"full": "#", "empty": "."} if self._plain else {}
        width = max(10, min(48, self._console.width - 18))
        for peak, rms in zip(r.peaks_db, r.rms_db, strict=True):
            colour = "red" if peak > -1.0 else "yellow" if peak > -6.0 else "green"
            text.append(bar(rms, width, **blocks), colour)
            text.append(f" {peak:6.1f} dB peak\n")


def choose_display(*, status: bool, keys: bool) -> Display:
    """Choose the display for standard output."""
    if not status:
        return SilentDisplay()
    if not sys.stdout.isatty():
        return LineDisplay(sys.stdout)
    from rich.console import Console

    console = Console()
    if console.is_dumb_terminal or not (os.environ.get("TERM") or sys.platform == "win32"):
        return LineDisplay(sys.stdout)
    return LiveDisplay(console, keys=keys)
