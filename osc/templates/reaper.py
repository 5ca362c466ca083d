"""A `.ReaperOSC` pattern file, which binds REAPER's actions to Attacca's addresses.

The transport and the master fader have a counterpart in Attacca. REAPER sends parameters of
plug-ins only under numbers (`@`), which are no addresses here; the file lists every control in
comments, for scripts and other programs.
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
        "# Controls Attacca with REAPER's transport and master fader. Preferences, "
        "Control/OSC/web,",
        f"# Add, OSC: device IP {host}, device port {port}, and this file as the pattern config.",
        "#",
        "# Every control: address, range, default. REAPER has no action for most of them; a script",
        "# or another program can send to these addresses, or to ADDRESS/norm from 0 to 1.",
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
