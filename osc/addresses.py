"""The address space: every OSC address there is, walked out of the table of controls. Pure data.

One address is one control with one argument, in its own units; `ADDRESS/norm` is its twin from 0
to 1. The twelve of harmony are `/harmony/c` to `/harmony/b`, with `c_sharp` for C#, since OSC keeps
`#` for itself; one container, so that `/harmony/*` is all of them. Whatever lists addresses (the
server, `attacca osc`, the docs) walks `ADDRESSES`; there is no other list.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from engine.params import FREE, HARMONY, PARAMS, Param, Value

__all__ = ["ADDRESSES", "Address", "Kind", "address_of", "by_path", "control_address"]

Kind = Literal["control", "norm", "button", "command", "query", "stream", "answer"]
Access = Literal["get", "set", "get, set"]


@dataclass(frozen=True)
class Address:
    """One address.

    Attributes
    ----------
    path : what is sent to.
    kind : `control` and its twin `norm`; `button` acts on 1 (or no argument) and ignores 0;
        `command` does what its argument says; `query` answers; `stream` sends until told not to;
        an `answer` is sent and never taken.
    types : OSC type tags of the argument as it is sent back; empty when it takes none. What comes
        in may be any type that makes sense (osc/values.py).
    access : whether it can be set, asked for by sending it without an argument, or both.
    when : `live` or `block`, of controls.
    param : the name of the control behind it.
    about : one sentence.
    """

    path: str
    kind: Kind
    types: str
    access: Access
    about: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    default: Value | None = None
    free: bool = False
    when: Literal["live", "block", ""] = ""
    param: str = ""

    @property
    def span(self) -> str:
        """The values it takes, for people."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind == "button":
            return "1"
        if self.low is None or self.high is None:
            return ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.low:.12g} to {self.high:.12g}{unit}{', or ' + FREE if self.free else ''}"


_TYPES = {"float": "f", "int": "i", "bool": "i", "choice": "s"}


def control_address(param: Param) -> str:
    """The path of a control."""
    return "/" + param.name.replace("harmony_", "harmony/", 1 if param.name in HARMONY else 0)


def _control(param: Param) -> tuple[Address, Address]:
    """A control and its twin from 0 to 1."""
    path, numeric = control_address(param), param.kind in ("float", "int")
    low, high = (param.low, param.high) if numeric else (None, None)
    if param.kind == "bool":
        low, high = 0, 1
    itself = Address(
        path, "control", _TYPES[param.kind], "get, set", param.about, low, high, param.unit,
        param.choices, param.default, param.free, param.when, param.name,
    )  # fmt: skip
    twin = Address(
        f"{path}/norm", "norm", "f", "get, set", f"{path} from 0 to 1.", 0, 1,
        free=param.free, when=param.when, param=param.name,
    )  # fmt: skip
    return itself, twin


# What is no control: what the performer does, and what a program asks.
_OTHERS: tuple[Address, ...] = (
    Address("/play", "button", "i", "set", "Let the music go on: the same as /pause 0."),
    Address("/stop", "button", "i", "set", "Hold the music: the same as /pause 1."),
    Address("/panic", "button", "i", "set", "Fade out, drop everything made, begin anew."),
    Address(
        "/reset", "button", "i", "set",
        "Begin a new piece with the next block, with /seed as it is; what is made is still played.",
    ),
    Address("/undo", "button", "i", "set", "Put the controls back as before the last gesture."),
    Address("/redo", "button", "i", "set", "Take the last /undo back."),
    Address(
        "/record", "command", "s", "get, set",
        "1 records under a new name, a name records under that name, 0 ends; asked, it answers "
        "with the file, or nothing.",
    ),
    Address(
        "/hold", "command", "i", "get, set",
        "The keys to play around from the next block on, as MIDI pitches, one argument each; 0 "
        "lets all go.", 0, 108,
    ),
    Address("/snapshot/save", "command", "s", "set", "Keep all controls under a name."),
    Address("/snapshot/recall", "command", "s", "set", "Set all controls as kept under a name."),
    Address("/snapshot/delete", "command", "s", "set", "Forget a snapshot."),
    Address("/snapshot/list", "query", "s", "get", "Names of the snapshots, one argument each."),
    Address("/ping", "query", "", "get", "Answers /pong with name, version and uptime in s."),
    Address("/status", "query", "", "get", "Answers a bundle of /status/..., one a figure."),
    Address("/dump", "query", "", "get",
            "Answers every control in bundles under 1,400 bytes, then /dump/end and their count."),
    Address(
        "/subscribe", "command", "is", "set",
        "[port] [pattern]: send changes of what the pattern matches (all controls without one), "
        "to another port if one is given, until its lease ends.",
    ),
    Address("/unsubscribe", "command", "s", "set", "[pattern]: the opposite; without one, of all."),
    Address(
        "/meters", "stream", "f", "set",
        "[rate] [port]: so many times a second peak left and right, rms left and right, limiter "
        "reduction, in dB; 0 ends it.", 0, 60, "Hz",
    ),
    Address("/lead", "stream", "f", "set",
            "[rate] [port]: so many times a second the seconds made and not yet heard; 0 ends it.",
            0, 60, "Hz"),
    Address("/notes", "stream", "i", "set",
            "[1] [port]: sends /note pitch velocity as notes are heard (velocity 0: up); 0 ends "
            "it.",
            0, 1),
    Address("/events", "stream", "i", "set",
            "[1] [port]: sends /event kind text for what a performer should know; 0 ends it.",
            0, 1),
)  # fmt: skip


def _status(name: str, types: str, unit: str, about: str) -> Address:
    return Address(f"/status/{name}", "answer", types, "get", about, unit=unit)


# What is sent and never taken.
_ANSWERS: tuple[Address, ...] = (
    Address("/pong", "answer", "ssf", "get", "To /ping: the program, its version, uptime in s."),
    Address(
        "/error",
        "answer",
        "sss",
        "get",
        "What was refused: its address, a code (packet, unknown, value, storage, limit, refused, "
        "fault), and why.",
    ),
    Address("/done", "answer", "ss", "get", "Slow work is done: its address, and on what."),
    Address("/dump/end", "answer", "i", "get", "How many controls a /dump had."),
    Address("/note", "answer", "ii", "get", "A key: pitch and velocity (0: up), as it is heard."),
    Address("/event", "answer", "ss", "get", "Its kind and a line of text."),
    _status("pack", "s", "", "The pack that plays."),
    _status("device", "s", "", "The sound device, or none."),
    _status("seconds", "f", "s", "Since playing began."),
    _status("xruns", "i", "", "Times the sound card asked and there was nothing."),
    _status("gaps", "i", "", "Times the music had not been made in time, and was held."),
    _status("lead", "f", "ms", "Made and not yet heard."),
    _status("load", "f", "", "Time to make a block over the time it lasts."),
    _status("steps", "i", "", "Evaluations a block as they are now; the governor may ease them."),
    _status("restarts", "i", "", "Times the generator died and was started again."),
    _status("pending", "i", "", "1 while a control waits for its block to be asked for."),
    _status("recording", "s", "", "The file that is recorded into, or nothing."),
    _status("failed", "s", "", "What ended the music for good, or nothing."),
    _status("latency/live", "f", "ms", "Until a live control is heard."),
    _status("latency/block", "f", "ms", "Until a block control is heard, at worst."),
    _status("osc/clients", "i", "", "Those who are sent changes or streams."),
    _status("osc/packets", "i", "", "Packets that came in."),
    _status("osc/bad", "i", "", "Packets and streams that could not be read."),
    _status("osc/late", "i", "", "Time-tagged packets that came after their time."),
    _status("osc/waiting", "i", "", "Packets that wait for their time."),
    _status("osc/refused", "i", "", "Packets from addresses that are not allowed."),
    _status("osc/dropped", "i", "", "Answers that were over a client's budget, or not taken."),
    _status("osc/faults", "i", "", "Messages that met a defect of the server; please report it."),
)


ADDRESSES: tuple[Address, ...] = (
    *(address for param in PARAMS for address in _control(param)),
    *_OTHERS,
    *_ANSWERS,
)


@cache
def by_path() -> dict[str, Address]:
    """Every address by its path."""
    return {a.path: a for a in ADDRESSES}


def address_of(name: str) -> Address:
    """The address of the control `name`.

    Raises
    ------
    KeyError
        There is none of that name.
    """
    return _by_param()[name]


@cache
def _by_param() -> dict[str, Address]:
    return {a.param: a for a in ADDRESSES if a.kind == "control"}
