"""The address space: every OSC address there is, for one table of controls. Pure data.

The address of a control is `/` and its full name (`/gain`, `/pack/density`), in its own unit;
`ADDRESS/norm` is its twin from 0 to 1, where it has a position. Pitch classes have an address for
each class as well, `/pack/harmony/c` to `/pack/harmony/b`, with `c_sharp` for C#, since OSC keeps
`#` for itself; `/pack/harmony/*` matches all of them. Whatever lists addresses (the server,
OSCQuery, layouts, `attacca osc`, the docs) walks an `AddressSpace`; another pack makes another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from engine.controls.control import FREE, NUMERIC, Control, Value
from engine.controls.table import ControlTable
from engine.counters import COUNTERS
from engine.errors import ConfigError

__all__ = [
    "COUNTED", "ERRORS", "FIXED", "Address", "AddressSpace", "Kind", "address_space",
    "control_address", "fixed_address",
]  # fmt: skip

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
    has_button : of a command, whether 1 does something, so that a controller shows a button.
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
    has_button: bool = False

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


_TYPES = {
    "number": "f", "whole": "i", "switch": "i", "choice": "s", "action": "i", "text": "s",
    "pitch_classes": "f" * 12, "chords": "s", "keys": "i",
}  # fmt: skip


def control_address(name: str) -> str:
    """The path of the control, or of the part of one, with a full name."""
    return f"/{name}"


def _control(control: Control) -> tuple[Address, ...]:
    """A control, its twin from 0 to 1 where it has a position, and its parts."""
    path = control_address(control.name)
    low, high = (control.low, control.high) if control.kind in (*NUMERIC, "keys") else (None, None)
    if control.kind in ("switch", "action"):
        low, high = 0, 1
    elif control.kind == "pitch_classes":
        low, high = 0.0, 1.0
    itself = Address(
        path, "control", _TYPES[control.kind], "get, set", control.about, low, high, control.unit,
        control.choices, control.default, control.free and not control.choices, control.when,
        control.name,
    )  # fmt: skip
    if not control.has_position:
        return (itself, *(address for part in control.parts for address in _control(part)))
    twin = Address(
        f"{path}/norm", "norm", "f", "get, set", f"{path} from 0 to 1.", 0, 1,
        free=control.free and not control.choices, when=control.when, param=control.name,
    )  # fmt: skip
    return itself, twin


# What is no control: what the performer does, and what a program asks.
_OTHERS: tuple[Address, ...] = (
    Address("/play", "button", "i", "set", "Play: the same as /pause 0."),
    Address("/stop", "button", "i", "set", "Pause: the same as /pause 1."),
    Address(
        "/panic", "button", "i", "set",
        "Fade out, drop all generated audio and everything that waits for its time, and stay "
        "silent until /play.",
    ),
    Address(
        "/reset", "button", "i", "set",
        "Start a new piece with the next block and the same /seed, after the audio that is already "
        "generated.",
    ),
    Address("/undo", "button", "i", "set",
            "Undo the last gesture of any interface; pause stays as it is."),
    Address("/redo", "button", "i", "set", "Redo what the last /undo undid."),
    Address("/tap", "button", "i", "set", "A tap on a beat: from the second on it sets /tempo."),
    Address("/downbeat", "button", "i", "set", "A bar begins now."),
    Address(
        "/record", "command", "s", "get, set",
        "1 records under a new name, a name records under that name, 0 ends; asked, it answers "
        "with the file, or nothing. A disk that fails ends it: /event and /status say why.",
    ),
    Address(
        "/record/keep", "command", "f", "set",
        "Keep the last so many seconds of the output, sound and notes, in a file that /done "
        "names.",
        1, 60, "s", default=60.0,
    ),
    Address(
        "/packs/load", "command", "s", "get, set",
        "Go over to another installed pack, by name, while this one plays on: /progress tells how "
        "far it is; asked, it answers with the pack that plays.",
    ),
    Address("/packs/list", "query", "", "get",
            "Answers /packs/info for every pack, then /packs/list/end and their count."),
    Address(
        "/target", "command", "s", "get, set",
        "Run the network elsewhere, such as on cuda: the pack is opened there while it plays on, "
        "as by /packs/load. Without an argument it answers with the target.",
    ),
    Address("/target/list", "query", "", "get",
            "Answers /target/info for every target, then /target/list/end and their count."),
    Address(
        "/device/select", "command", "s", "get, set",
        "Go on into another sound device, by name or a part of it, 'default' or 'none'; one that "
        "cannot be opened leaves the old one playing. Asked, it answers with the device.",
    ),
    Address("/device/list", "query", "", "get",
            "Looks for sound devices; answers /device/info for each, then /device/list/end and "
            "their count."),
    Address("/xruns/reset", "button", "i", "set", "Count xruns from 0 again."),
    Address("/quit", "button", "i", "set",
            "End Attacca; only from the machine it plays on."),
    Address(
        "/preset/save", "command", "s", "set",
        "Save the controls under a name; pause, tempo and locks are not part of it.",
    ),
    Address(
        "/preset/recall", "command", "s", "set",
        "Set the controls saved under a name, but for those that /lock/gain and /lock/seed lock.",
    ),
    Address("/preset/delete", "command", "s", "set", "Forget a preset."),
    Address("/preset/list", "query", "s", "get",
            "Names of the presets, one argument each; subscribers receive it whenever one is "
            "saved or deleted."),
    Address(
        "/snapshot/take", "command", "s", "set",
        "Take a snapshot of what is audible: the music, its position, its tempo and the controls. "
        "1 or no argument saves it under a new name, text under that name; /done has the name.",
        has_button=True,
    ),
    Address(
        "/snapshot/recall", "command", "ss", "set",
        "[name] [when]: return to a snapshot now, or so that its beat or bar line falls on the "
        "next one: now, beat or bar; by default as /quantise says. 1 or no argument returns to the "
        "last one.",
        has_button=True,
    ),
    Address("/snapshot/delete", "command", "s", "set", "Delete a snapshot."),
    Address("/snapshot/list", "query", "s", "get",
            "Names of the snapshots, one argument each; subscribers receive it whenever one is "
            "taken or deleted."),
    Address(
        "/go_back", "command", "f", "set",
        "Play the music again from so many seconds before; after the block of then the controls "
        "are those of now. /status/history says how far it reaches; 0 drops what is generated "
        "ahead.",
        0, 3600, "s",
    ),
    Address("/go_back/beats", "command", "f", "set",
            "The same by so many beats, 1 without an argument.", 0, 10_000, has_button=True),
    Address("/go_back/bars", "command", "f", "set",
            "The same by so many bars, 1 without an argument.", 0, 1_000, has_button=True),
    Address("/go_back/blocks", "command", "i", "set",
            "The same by so many blocks, 1 without an argument, to the start of one.", 0, 100_000,
            has_button=True),
    Address(
        "/fork", "command", "i", "set",
        "Continue from what is audible as another seed would: a seed from 2, or 1 or no argument "
        "for the next one.",
        0, 2**31 - 1, has_button=True,
    ),
    Address("/spectrum/bands", "query", "f", "get",
            "Middle frequencies of the 96 bands in Hz, of /spectrum and of /picture: 40 Hz to 16 "
            "kHz, or half the rate."),
    Address(
        "/midi/learn", "command", "s", "get, set",
        "The path of a control, or of an action (/play, /stop, /panic, /reset, /record, "
        "/snapshot/take, /snapshot/recall, /go_back/beats, /go_back/bars, /go_back/blocks, /fork): "
        "the MIDI controller that moves next will move it; empty text waits for none.",
    ),
    Address("/midi/forget", "command", "s", "set", "A path that no MIDI controller is to move."),
    Address(
        "/midi/takeover", "command", "i", "get, set",
        "1: a MIDI controller moves nothing until it has met its control; 0: at once.", 0, 1,
    ),
    Address(
        "/midi/mode", "command", "ss", "get, set",
        "A path and how the values of its MIDI controller are read: absolute, or of an endless "
        "encoder twos-complement, binary-offset or signed-bit. The path alone asks.",
    ),
    Address("/midi/mappings", "query", "", "get",
            "Answers /midi/mapping for each, then /midi/mappings/end and their count."),
    Address("/midi/ports", "query", "", "get",
            "Answers /midi/port for each port of the system, then /midi/ports/end."),
    Address("/ping", "query", "", "get", "Answers /pong with name, version and uptime in s."),
    Address("/status", "query", "", "get", "Answers a bundle of /status/..., one a figure."),
    Address("/dump", "query", "", "get",
            "Answers every control in bundles under 1,400 bytes, then /dump/end and their count."),
    Address(
        "/controls", "query", "", "get",
        "Answers /controls/info for every control, then /controls/end and their count.",
    ),
    Address(
        "/subscribe", "command", "is", "set",
        "[port] [pattern]: send changes of what the pattern matches (all controls without one), "
        "to another port if one is given, until its lease ends.",
    ),
    Address("/unsubscribe", "command", "s", "set", "[pattern]: the opposite; without one, of all."),
    Address(
        "/meters", "stream", "f", "set",
        "[rate] [port]: so many times a second peak left and right, rms left and right, limiter "
        "reduction, in dB; frames that would have clipped since the start; the highest peak of 2 s "
        "left and right, in dB; 0 ends it.", 0, 60, "Hz",
    ),
    Address(
        "/scope", "stream", "f", "set",
        "[rate] [port]: so many times a second what is heard, in mono, of the last 1/rate s (1 s "
        "at most, at 60 Hz 1/60) as 128 pairs of least and most, from a rising zero crossing on; "
        "0 ends it.", 0, 60, "Hz",
    ),
    Address(
        "/spectrum", "stream", "f", "set",
        "[rate] [port]: so many times a second what is heard as 96 levels in dB (a sine of full "
        "scale: 0), after one /spectrum/bands; 0 ends it.", 0, 60, "Hz",
    ),
    Address(
        "/playhead", "stream", "f", "set",
        "[rate] [port]: so many times a second played, made, heard: seconds of music pulled by the "
        "mixer, made, and at the ear, as doubles; 0 ends it.", 0, 60, "Hz",
    ),
    Address(
        "/blocks", "stream", "i", "set",
        "[1] [port]: sends /block for every block when it is made; 0 ends it.", 0, 1,
    ),
    Address(
        "/picture", "stream", "i", "set",
        "[1] [port]: sends the spectrogram of made music from the play line on: /picture start hop "
        "bands blob, of columns start, start + hop, ... (seconds, doubles), each a byte a band, "
        "lowest first, 0 to 255 for -90 to 0 dB; 0 ends it.", 0, 1,
    ),
    Address("/lead", "stream", "f", "set",
            "[rate] [port]: so many times a second the seconds made and not yet heard; 0 ends it.",
            0, 60, "Hz"),
    Address("/notes", "stream", "i", "set",
            "[1] [port]: sends /note pitch velocity as notes are heard (velocity 0: up); 0 ends "
            "it.",
            0, 1),
    Address("/beat", "stream", "i", "set",
            "[1] [port]: sends /beat number place bpm as each beat falls, counted from 0, and its "
            "place in the bar from 1; 0 ends it.",
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
    Address(
        "/reset/pending",
        "answer",
        "f",
        "get",
        "So many s until /reset is heard, with /quantise; 0: done, -1: another replaced it.",
    ),
    Address(
        "/preset/recall/left",
        "answer",
        "ss",
        "get",
        "Of a preset: its name, then the controls that the pack which plays does not have.",
    ),
    Address("/preset/recall/pending", "answer", "sf", "get", "The same: a name, and s."),
    Address("/snapshot/recall/pending", "answer", "sf", "get", "The same: a name, and s."),
    Address(
        "/record/pending", "answer", "sf", "get", "The same: a file, or nothing to end, and s."
    ),
    Address(
        "/progress", "answer", "sf", "get", "Slow work: its address, and how far it is (1: done)."
    ),
    Address(
        "/packs/info",
        "answer",
        "ssssiiffss",
        "get",
        "A pack: name, title, version, licence, rate in Hz, channels, seconds of a block, "
        "megabytes, what is wrong with it, or nothing, "
        "and what 'attacca bench' found of it on this machine, or nothing.",
    ),
    Address("/packs/list/end", "answer", "i", "get", "How many packs there are."),
    Address(
        "/target/info",
        "answer",
        "sssi",
        "get",
        "A target: name, what it is, the Python packages that have it, 1 if it is offered here.",
    ),
    Address("/target/list/end", "answer", "i", "get", "How many targets there are."),
    Address(
        "/device/info",
        "answer",
        "ssiifi",
        "get",
        "A sound device: name, host API, channels, rate in Hz, least latency in ms, 1 for the "
        "system's default.",
    ),
    Address("/device/list/end", "answer", "i", "get", "How many devices there are."),
    Address("/dump/end", "answer", "i", "get", "How many controls a /dump had."),
    Address("/midi/mapping", "answer", "ss", "get", "A path, and the controller that moves it."),
    Address("/midi/mappings/end", "answer", "i", "get", "How many of these there were."),
    Address("/midi/port", "answer", "ssi", "get", "A MIDI port: in or out, its name, 1 if used."),
    Address("/midi/ports/end", "answer", "i", "get", "How many of these there were."),
    Address(
        "/controls/info",
        "answer",
        "ss",
        "get",
        "A control: its path, and as JSON its kind, range, unit, choices, default, group, "
        "whether it can be free, live or block, and one sentence.",
    ),
    Address("/controls/end", "answer", "i", "get", "How many controls there are."),
    Address(
        "/controls/changed",
        "answer",
        "i",
        "get",
        "Another pack plays: how many controls there are now; /controls describes them.",
    ),
    Address("/note", "answer", "ii", "get", "A key: pitch and velocity (0: up), as it is heard."),
    Address(
        "/block",
        "answer",
        "idfiffi",
        "get",
        "A block is made: number in the piece (-1: given from outside), where it starts and how "
        "long it is in s of music, steps, seconds at its start that stand in place of what was "
        "made before, time to make over time it lasts, 1 when the governor eased it.",
    ),
    Address(
        "/picture/clear",
        "answer",
        "d",
        "get",
        "What was made from there on, in s of music, will not be heard; the next block says "
        "where it goes on.",
    ),
    Address("/event", "answer", "ss", "get", "Its kind and a line of text."),
    _status("pack", "s", "", "The pack that plays."),
    _status("device", "s", "", "The sound device, or none."),
    _status("rate", "i", "Hz", "Frames a second of what is heard."),
    _status("seconds", "f", "s", "Since playing began."),
    _status("lead", "f", "ms", "Made and not yet heard."),
    _status("load", "f", "", "Time to make a block over the time it lasts."),
    _status("steps", "i", "", "Evaluations a block as they are now; the governor may ease them."),
    _status("history", "f", "s", "How far the music can go back."),
    _status("pending", "i", "", "1 while a control waits for its block to be asked for."),
    _status("recording/seconds", "f", "s", "Of it so far."),
    _status("recording/bytes", "f", "", "Of it so far."),
    _status("recording/free", "f", "", "Bytes left on the disk it goes to; 0 without a recording."),
    _status("steps/asked", "i", "", "Steps as they are set."),
    _status("eased", "i", "", "1 while the governor takes fewer steps than are set."),
    _status("stride", "f", "block", "Of the last block."),
    _status("latency/device", "f", "ms", "Of the sound device."),
    _status("latency/ring", "f", "ms", "What waits in the output ring."),
    _status("latency/mixer", "f", "ms", "Of the limiter's look-ahead."),
    _status("latency/lead", "f", "ms", "Made ahead, when the next block is asked for."),
    _status("recording", "s", "", "The file that is recorded into, or nothing."),
    _status("recording/problem", "s", "", "Why the last recording ended early, or nothing."),
    _status("failed", "s", "", "What ended the music for good, or nothing."),
    _status("trouble", "s", "", "What goes wrong again and again at the moment, or nothing."),
    _status("errors/last", "s", "", "The last error of a stream, an effect or a listener."),
    _status("realtime", "i", "", "1 while the mixer has real-time priority."),
    *(_status(c.name, "i" if c.is_whole else "f", c.unit, c.about) for c in COUNTERS),
    _status("latency/live", "f", "ms", "Until a live control is heard."),
    _status("latency/block", "f", "ms", "Until a block control is heard, at worst."),
    _status("tempo/bpm", "f", "BPM", "The tempo that is followed."),
    _status("tempo/source", "s", "", "Whose it is: own, midi or link."),
    _status("tempo/peers", "i", "", "Others in the Link session; 1 while a MIDI clock is heard."),
    _status("tempo/locked", "i", "", "0 while what is to be followed is not heard."),
    _status("midi/in", "i", "", "MIDI messages that came in."),
    _status("midi/out", "i", "", "MIDI messages that went out."),
    _status("midi/dropped", "i", "", "MIDI messages that came faster than they could be heeded."),
    _status("midi/bad", "i", "", "Arrivals that are no MIDI message."),
    _status("midi/duplicates", "i", "", "MIDI messages that two ports brought, counted once."),
    _status("midi/echoes", "i", "", "Attacca's own MIDI messages that came back; ignored."),
    _status("midi/faults", "i", "", "MIDI messages that hit a defect of Attacca; see its log."),
    _status("midi/learning", "s", "", "The path for which a controller is awaited, or nothing."),
    _status("osc/clients", "i", "", "Those who are sent changes or streams."),
    _status("osc/packets", "i", "", "Packets that came in."),
    _status("osc/sent", "i", "", "Packets that went out."),
    _status("osc/bad", "i", "", "Packets and streams that could not be read."),
    _status("osc/late", "i", "", "Time-tagged packets that came after their time."),
    _status("osc/waiting", "i", "", "Packets that wait for their time."),
    _status("osc/refused", "i", "", "Packets from addresses that are not allowed."),
    _status("osc/dropped", "i", "", "Answers that were over a client's budget, or not taken."),
    _status("osc/faults", "i", "", "Messages that met a defect of the server; please report it."),
)


FIXED: tuple[Address, ...] = (*_OTHERS, *_ANSWERS)  # what does not depend on the controls
_FIXED_BY_PATH = {a.path: a for a in FIXED}


def fixed_address(path: str) -> Address:
    """An address that does not depend on the controls.

    Raises
    ------
    KeyError
        There is none at the path.
    """
    return _FIXED_BY_PATH[path]


@dataclass(frozen=True)
class AddressSpace:
    """Every address for one table of controls."""

    table: ControlTable

    @cached_property
    def addresses(self) -> tuple[Address, ...]:
        """All of them: the controls in the table's order, then what does not depend on it."""
        controls = (a for control in self.table for a in _control(control))
        return (*(a for a in controls if a.path not in _FIXED_BY_PATH), *FIXED)

    @cached_property
    def by_path(self) -> dict[str, Address]:
        """Every address by its path."""
        return {a.path: a for a in self.addresses}

    @cached_property
    def controls(self) -> dict[str, Address]:
        """The controls and their twins, by path."""
        return {a.path: a for a in self.addresses if a.kind in ("control", "norm")}

    @cached_property
    def control_paths(self) -> frozenset[str]:
        """The paths of the controls, without their twins."""
        return frozenset(a.path for a in self.addresses if a.kind == "control")

    def of(self, name: str) -> Address:
        """The address of a control, or of the part of one, by its full or short name.

        Raises
        ------
        ConfigError
            There is no such control.
        """
        path = control_address(self.table[name].name)
        found = self.by_path.get(path)
        if found is None:
            raise ConfigError(f"{path} is not the address of a control")
        return found


@lru_cache(maxsize=8)
def address_space(table: ControlTable) -> AddressSpace:
    """The address space of a table."""
    return AddressSpace(table)


# Figures below `/status/` that count, and those of them that stay at 0 as long as all is well.
_OWN_COUNTED = (
    "midi/in", "midi/out", "midi/dropped", "midi/bad", "midi/duplicates", "midi/echoes",
    "midi/faults", "osc/packets", "osc/sent", "osc/bad", "osc/late", "osc/refused", "osc/dropped",
    "osc/faults",
)  # fmt: skip
COUNTED: tuple[str, ...] = (*(c.name for c in COUNTERS), *_OWN_COUNTED)
ERRORS: tuple[str, ...] = (
    *(c.name for c in COUNTERS if c.is_error), "midi/dropped", "midi/bad", "midi/faults",
    "osc/faults",
)  # fmt: skip
