"""The addresses that do not depend on the controls: one table of data, any thread.

Buttons, commands, queries, streams and answers. docs/osc.md is generated from their descriptions.
"""

from __future__ import annotations

from engine.counters import COUNTERS
from osc.address import Address

__all__ = ["COUNTED", "ERRORS", "FIXED", "FIXED_BY_PATH", "fixed_address"]

# Everything but controls: what a performer does, and what a program asks for.
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
        "1 starts a recording under a new name, a text starts one under that name, 0 ends it. "
        "Without an argument: the file, or an empty text. If the disk fails, the recording ends, "
        "and /event and /status give the reason.",
    ),
    Address(
        "/record/keep", "command", "f", "set",
        "Save the last seconds you heard (sound and notes), even if you weren't recording; /done "
        "returns the file.",
        1, 60, "s", default=60.0,
    ),
    Address(
        "/packs/load", "command", "s", "get, set",
        "Change to another installed pack, by name, without a gap; /progress reports how far it "
        "is. Without an argument: the current pack.",
    ),
    Address("/packs/list", "query", "", "get",
            "Sends /packs/info for every pack, then /packs/list/end and their number."),
    Address(
        "/target", "command", "s", "get, set",
        "Run the network elsewhere, such as on cuda, without a gap; /progress reports how far the "
        "change is. Without an argument: the current target.",
    ),
    Address("/target/list", "query", "", "get",
            "Sends /target/info for every target, then /target/list/end and their number."),
    Address(
        "/device/select", "command", "s", "get, set",
        "Change to another sound device: its name or part of it, 'default' or 'none'. If it cannot "
        "be opened, the current one keeps playing. Without an argument: the current device.",
    ),
    Address("/device/list", "query", "", "get",
            "Searches for sound devices; sends /device/info for each, then /device/list/end and "
            "their number."),
    Address("/xruns/reset", "button", "i", "set", "Count xruns from 0 again."),
    Address("/quit", "button", "i", "set",
            "End Attacca; only from the machine it plays on."),
    Address(
        "/preset/save", "command", "s", "set",
        "Save the controls under a name, without pause, tempo and locks.",
    ),
    Address(
        "/preset/recall", "command", "s", "set",
        "Recall the controls saved under a name, except those locked by /lock/gain and /lock/seed.",
    ),
    Address("/preset/delete", "command", "s", "set", "Delete a preset."),
    Address("/preset/list", "query", "s", "get",
            "Names of the presets, one argument each; subscribers receive it whenever one is "
            "saved or deleted."),
    Address(
        "/snapshot/take", "command", "s", "set",
        "Take a snapshot of what is audible: the music, its position, its tempo and the controls. "
        "1 or no argument saves it under a new name, a text under that name; /done has the name.",
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
        "Go back by a number of seconds and play from there; from the next block on the present "
        "controls apply. /status/history is how far it reaches; 0 drops what is generated ahead.",
        0, 3600, "s",
    ),
    Address("/go_back/beats", "command", "f", "set",
            "Go back by a number of beats, 1 without an argument.", 0, 10_000, has_button=True),
    Address("/go_back/bars", "command", "f", "set",
            "Go back by a number of bars, 1 without an argument.", 0, 1_000, has_button=True),
    Address("/go_back/blocks", "command", "i", "set",
            "Go back to the start of a block: by a number of blocks, 1 without an argument.",
            0, 100_000, has_button=True),
    Address(
        "/fork", "command", "i", "set",
        "Continue from what is audible with another seed: a seed from 2, or 1 or no argument for "
        "the next one.",
        0, 2**31 - 1, has_button=True,
    ),
    Address("/spectrum/bands", "query", "f", "get",
            "Centre frequencies of the 96 bands in Hz, of /spectrum and of /picture: 40 Hz to 16 "
            "kHz, or half the rate."),
    Address(
        "/midi/learn", "command", "s", "get, set",
        "Learn: map the next MIDI controller that moves to this control, or to an action: /play, "
        "/stop, /panic, /reset, /record, /snapshot/take, /snapshot/recall, /go_back/beats, "
        "/go_back/bars, /go_back/blocks or /fork. An empty text cancels.",
    ),
    Address("/midi/forget", "command", "s", "set", "Remove the MIDI mapping of this address."),
    Address(
        "/midi/takeover", "command", "i", "get, set",
        "1: soft takeover, a MIDI controller has no effect until it reaches the control's value; "
        "0: it takes effect at once.", 0, 1,
    ),
    Address(
        "/midi/mode", "command", "ss", "get, set",
        "An address and how to read the values of its MIDI controller: absolute, or for an endless "
        "encoder twos-complement, binary-offset or signed-bit. With the address alone: the mode.",
    ),
    Address("/midi/mappings", "query", "", "get",
            "Sends /midi/mapping for each mapping, then /midi/mappings/end and their number."),
    Address("/midi/ports", "query", "", "get",
            "Sends /midi/port for each port of the system, then /midi/ports/end and their number."),
    Address("/ping", "query", "", "get", "Answered with /pong: name, version and uptime in s."),
    Address("/status", "query", "", "get",
            "Answered with a bundle of /status/..., one message for each value."),
    Address("/dump", "query", "", "get",
            "Sends every control in bundles under 1,400 bytes, then /dump/end and their number."),
    Address(
        "/controls", "query", "", "get",
        "Sends /controls/info for every control, then /controls/end and their number.",
    ),
    Address(
        "/subscribe", "command", "is", "set",
        "[port] [pattern]: receive the changes of all controls, or of those that the pattern "
        "matches; with a port, they are sent there. The subscription expires (see above).",
    ),
    Address("/unsubscribe", "command", "s", "set",
            "[pattern]: end this subscription; without a pattern, all of them."),
    Address(
        "/meters", "stream", "f", "set",
        "[rate] [port]: peak left and right, RMS left and right and limiter reduction, in dB; "
        "frames since the start that would have clipped; the highest peak of the last 2 s, left "
        "and right, in dB. Rate 0 ends the stream.", 0, 60, "Hz",
    ),
    Address(
        "/scope", "stream", "f", "set",
        "[rate] [port]: the waveform of the audible sound in mono over the last 1/rate s, as 128 "
        "pairs of minimum and maximum, starting at a rising zero crossing. Rate 0 ends the "
        "stream.", 0, 60, "Hz",
    ),
    Address(
        "/spectrum", "stream", "f", "set",
        "[rate] [port]: the spectrum of the audible sound as 96 levels in dB (0 for a full-scale "
        "sine), after one /spectrum/bands. Rate 0 ends the stream.", 0, 60, "Hz",
    ),
    Address(
        "/playhead", "stream", "f", "set",
        "[rate] [port]: three positions in seconds of music, as doubles: taken by the mixer, "
        "generated, audible. Rate 0 ends the stream.", 0, 60, "Hz",
    ),
    Address(
        "/blocks", "stream", "i", "set",
        "[1] [port]: sends /block for every block that is generated; 0 ends the stream.", 0, 1,
    ),
    Address(
        "/picture", "stream", "i", "set",
        "[1] [port]: sends the spectrogram of the generated music from the playhead on: /picture "
        "start hop bands blob. The columns begin at start, start + hop, ... (seconds, doubles); "
        "each has one byte per band, lowest first, 0 to 255 for -90 to 0 dB. 0 ends the stream.",
        0, 1,
    ),
    Address("/lead", "stream", "f", "set",
            "[rate] [port]: seconds of audio that are generated and not yet audible. Rate 0 ends "
            "the stream.",
            0, 60, "Hz"),
    Address("/notes", "stream", "i", "set",
            "[1] [port]: sends /note pitch velocity when a note becomes audible (velocity 0: note "
            "off); 0 ends the stream.",
            0, 1),
    Address("/beat", "stream", "i", "set",
            "[1] [port]: sends /beat number place bpm on each beat: its number from 0, its place "
            "in the bar from 1, the tempo; 0 ends the stream.",
            0, 1),
    Address("/events", "stream", "i", "set",
            "[1] [port]: sends /event kind text for everything that a performer should know; 0 "
            "ends the stream.",
            0, 1),
)  # fmt: skip


def _status(name: str, types: str, unit: str, about: str) -> Address:
    return Address(f"/status/{name}", "answer", types, "get", about, unit=unit)


# What only the server sends.
_ANSWERS: tuple[Address, ...] = (
    Address(
        "/pong", "answer", "ssf", "get", "Answer to /ping: the program, its version, uptime in s."
    ),
    Address(
        "/error",
        "answer",
        "sss",
        "get",
        "An error: the address, a code (packet, unknown, value, storage, limit, refused, fault) "
        "and the reason.",
    ),
    Address("/done", "answer", "ss", "get", "Slow work has finished: its address and the result."),
    Address(
        "/reset/pending",
        "answer",
        "f",
        "get",
        "Seconds until /reset becomes audible, with /quantise; 0: done, -1: replaced by another.",
    ),
    Address(
        "/preset/recall/left",
        "answer",
        "ss",
        "get",
        "After a recall: the name of the preset, then its controls that the pack does not have.",
    ),
    Address(
        "/preset/recall/pending",
        "answer",
        "sf",
        "get",
        "Name, and seconds until it becomes audible, with /quantise; 0: done, -1: replaced.",
    ),
    Address("/snapshot/recall/pending", "answer", "sf", "get", "The same, of a snapshot."),
    Address(
        "/record/pending",
        "answer",
        "sf",
        "get",
        "File (empty: end), and seconds until it happens, with /quantise; 0: done, -1: replaced.",
    ),
    Address("/progress", "answer", "sf", "get", "Progress of slow work: its address, and 0 to 1."),
    Address(
        "/packs/info",
        "answer",
        "ssssiiffss",
        "get",
        "A pack: name, title, version, licence, rate in Hz, channels, seconds per block, "
        "megabytes, what is wrong with it (or empty), and what 'attacca bench' measured on this "
        "machine (or empty).",
    ),
    Address("/packs/list/end", "answer", "i", "get", "Number of packs."),
    Address(
        "/target/info",
        "answer",
        "sssi",
        "get",
        "A target: name, description, the Python packages that provide it, 1 if it is available.",
    ),
    Address("/target/list/end", "answer", "i", "get", "Number of targets."),
    Address(
        "/device/info",
        "answer",
        "ssiifi",
        "get",
        "A sound device: name, host API, channels, rate in Hz, lowest latency in ms, 1 for the "
        "system's default.",
    ),
    Address("/device/list/end", "answer", "i", "get", "Number of devices."),
    Address("/dump/end", "answer", "i", "get", "Number of controls that /dump sent."),
    Address(
        "/midi/mapping",
        "answer",
        "ss",
        "get",
        "An address, and the MIDI controller that is mapped to it.",
    ),
    Address("/midi/mappings/end", "answer", "i", "get", "Number of mappings."),
    Address("/midi/port", "answer", "ssi", "get", "A MIDI port: in or out, its name, 1 if in use."),
    Address("/midi/ports/end", "answer", "i", "get", "Number of ports."),
    Address(
        "/controls/info",
        "answer",
        "ss",
        "get",
        "A control: its address, and as JSON its kind, range, unit, choices, default, group, "
        "whether it can be free, live or block, and a description.",
    ),
    Address("/controls/end", "answer", "i", "get", "Number of controls."),
    Address(
        "/controls/changed",
        "answer",
        "i",
        "get",
        "The pack has changed: the number of controls now; /controls describes them.",
    ),
    Address(
        "/note",
        "answer",
        "ii",
        "get",
        "A note that becomes audible: pitch and velocity (0: note off).",
    ),
    Address(
        "/block",
        "answer",
        "idfiffi",
        "get",
        "A block was generated: its number in the piece (-1: audio from outside), start and length "
        "in seconds of music, steps, seconds at its start that replace audio generated before, "
        "generation time over audio time, 1 if the governor lowered the steps.",
    ),
    Address(
        "/picture/clear",
        "answer",
        "d",
        "get",
        "The audio generated from this position on (seconds of music) was dropped; the next block "
        "says where the music continues.",
    ),
    Address("/event", "answer", "ss", "get", "An event: its kind and a line of text."),
    _status("pack", "s", "", "The current pack."),
    _status("device", "s", "", "The sound device, or 'none'."),
    _status("rate", "i", "Hz", "Sample rate of the output."),
    _status("seconds", "f", "s", "Time since playing began."),
    _status("lead", "f", "ms", "Audio that is generated and not yet audible."),
    _status("load", "f", "", "Generation time over audio time of a block."),
    _status("steps", "i", "", "Steps of the last block; the governor may lower them."),
    _status("history", "f", "s", "How far the music can go back."),
    _status("pending", "i", "", "1 while a changed control waits for its block to be requested."),
    _status("recording/seconds", "f", "s", "Length of the recording so far."),
    _status("recording/bytes", "f", "", "Size of the recording so far."),
    _status("recording/free", "f", "", "Bytes free on its disk; 0 without a recording."),
    _status("steps/requested", "i", "", "Steps as set by the control."),
    _status("eased", "i", "", "1 while the governor takes fewer steps than set."),
    _status("stride", "f", "block", "Stride of the last block."),
    _status("latency/device", "f", "ms", "Latency of the sound device."),
    _status("latency/ring", "f", "ms", "Audio that waits in the output ring."),
    _status("latency/mixer", "f", "ms", "Look-ahead of the limiter."),
    _status("latency/lead", "f", "ms", "Lead at which the next block is requested."),
    _status("recording", "s", "", "The file of the recording, or empty."),
    _status("recording/problem", "s", "", "Why the last recording ended early, or empty."),
    _status("failed", "s", "", "The error that ended the music for good, or empty."),
    _status("trouble", "s", "", "A problem that repeats at the moment, or empty."),
    _status("errors/last", "s", "", "The last error of a stream, an effect or a listener."),
    _status("realtime", "i", "", "1 while the mixer has real-time priority."),
    *(_status(c.name, "i" if c.is_whole else "f", c.unit, c.about) for c in COUNTERS),
    _status("latency/live", "f", "ms", "Time until a live control is audible."),
    _status("latency/block", "f", "ms", "Longest time until a block control is audible."),
    _status("tempo/bpm", "f", "BPM", "The current tempo."),
    _status("tempo/source", "s", "", "Tempo source: own (internal), midi or link."),
    _status(
        "tempo/peers", "i", "", "Other peers in the Link session; 1 while a MIDI clock is received."
    ),
    _status("tempo/locked", "i", "", "0 while no tempo arrives from the source."),
    _status("midi/in", "i", "", "MIDI messages received."),
    _status("midi/out", "i", "", "MIDI messages sent."),
    _status("midi/dropped", "i", "", "MIDI messages dropped because they came too fast."),
    _status("midi/bad", "i", "", "Received bytes that are not a MIDI message."),
    _status("midi/duplicates", "i", "", "MIDI messages that arrived on two ports; used once."),
    _status("midi/echoes", "i", "", "Attacca's own MIDI messages that came back; ignored."),
    _status("midi/faults", "i", "", "MIDI messages that met a defect of Attacca; see its log."),
    _status("midi/learning", "s", "", "The address that waits to be learned, or empty."),
    _status("osc/clients", "i", "", "Clients with a subscription or a stream."),
    _status("osc/packets", "i", "", "Packets received."),
    _status("osc/sent", "i", "", "Packets sent."),
    _status("osc/bad", "i", "", "Packets and streams that could not be parsed."),
    _status("osc/late", "i", "", "Time-tagged packets that arrived after their time."),
    _status("osc/waiting", "i", "", "Packets that wait for their time."),
    _status("osc/refused", "i", "", "Packets from hosts that are not allowed."),
    _status(
        "osc/dropped",
        "i",
        "",
        "Answers dropped because the client was over its budget or did not read them.",
    ),
    _status("osc/faults", "i", "", "Messages that met a defect of the server; please report it."),
)


FIXED: tuple[Address, ...] = (*_OTHERS, *_ANSWERS)  # independent of the controls
FIXED_BY_PATH = {a.path: a for a in FIXED}


def fixed_address(path: str) -> Address:
    """An address that does not depend on the controls.

    Raises
    ------
    KeyError
        There is none at the path.
    """
    return FIXED_BY_PATH[path]


# Counters below `/status/`, and those of them that stay at 0 as long as all is well.
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
