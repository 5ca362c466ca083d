"""A `.ReaperOSC` pattern file: what REAPER does, sent to Attacca's addresses and taken from them.

A pattern file binds REAPER's own actions, each to addresses of one's choice. The transport and the
master fader have a counterpart here. Parameters of plug-ins REAPER can only send under numbers
(`@`), which no control has as its address; the file lists every control for scripts and for other
programs that read it, in comments.
"""

from __future__ import annotations

from engine.controls.control import FREE
from osc.templates.surface import Knob, Surface, plain

__all__ = ["patterns"]

# REAPER's action, the flag of its argument (t: trigger, b: 0 or 1, n: 0 to 1), and the address.
_BOUND = (
    ("PLAY", "t", "/play"),
    ("STOP", "t", "/stop"),
    ("PAUSE", "b", "/pause"),
    ("MASTER_VOLUME", "n", "/gain/norm"),
)
_NONE = ("TRACK", "SEND", "RECEIVE", "FX", "FX_PARAM", "FX_INST_PARAM", "MARKER", "REGION")


def patterns(whole: Surface, host: str, port: int) -> bytes:
    """The file."""
    lines = [
        "# Attacca, as REAPER's transport and master fader steer it. Preferences, Control/OSC/web,",
        f"# Add, OSC: device IP {host}, device port {port}, and this file as the pattern config.",
        "#",
        "# Every control: address, range, default. REAPER has no action for most; a script,",
        "# or any other program, sends to these addresses, or to ADDRESS/norm from 0 to 1.",
        "#",
        *(_line(knob) for knob in whole.knobs),
        "",
        *(f"DEVICE_{what}_COUNT 0" for what in _NONE),
        "",
    ]
    lines += [f"{action} {flag}{path}" for action, flag, path in _BOUND]
    return ("\n".join(lines) + "\n").encode()


def _line(knob: Knob) -> str:
    if knob.choices:
        span = "|".join(knob.choices)
        return f"# {knob.path} {span} {knob.choices[int(knob.start)]}"
    span = f"{plain(knob.low)}..{plain(knob.high)}"
    default = FREE if knob.default is None else plain(knob.default)
    return f"# {knob.path} {span} {default}{' ' + knob.unit if knob.unit else ''}"
