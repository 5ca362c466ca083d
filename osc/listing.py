"""The address space for people and programs: as text, as Markdown (docs/osc.md), as JSON.

All of it is walked out of an `AddressSpace`. Pure functions, any thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from osc import LOOPBACK, PORT, QUERY_PORT
from osc.addresses import Address, AddressSpace
from osc.clients import LEASE

__all__ = ["FORMATS", "as_json", "markdown", "text"]

_KINDS = (
    ("control", "Controls"), ("button", "Buttons"), ("command", "Commands"), ("query", "Questions"),
    ("stream", "Streams"), ("answer", "What it sends"),
)  # fmt: skip

_HEAD = f"""# OSC

Made by `docs/build.py` from `osc/addresses.py` and `engine/controls/`: change those tables and run
`make docs`. `attacca osc` prints the same for a terminal, `attacca osc --format json` for programs.

`attacca play` listens on {LOOPBACK} port {PORT}, over UDP and, under the same number, over TCP
(SLIP as in OSC 1.1, or a size before each packet as in OSC 1.0). `--osc-port` takes another port,
`--no-osc` none. `--osc-listen 0.0.0.0` lets other machines in: then anyone who reaches the port can
steer it, so name who may with `--osc-allow 192.168.1.7` or `--osc-allow 192.168.1.0/24`.

```
oscsend localhost {PORT} /gain f -6            # set
oscsend localhost {PORT} /subscribe i 9011     # hear of changes on port 9011: oscdump 9011
oscsend localhost {PORT} '/pack/harmony/[ceg]' i 1  # a pattern sets all that it matches
```

**Values.** One address, one control, one argument, in the control's own unit. `ADDRESS/norm` is
its twin from 0 to 1. Types i h f d T F I are taken, and text with a number in it; a choice by its
name or its index. A number out of range is brought into it. Without an argument the address answers
with its value. A switch is sent as 0 or 1. Some controls also take the word `free`, which leaves
them to the music.

**Answers.** Whoever sets a control is sent the value as it was applied; so is everyone else who
subscribed. A subscriber who sends what holds already is sent nothing. After a *block* control comes
`ADDRESS/pending value seconds`: so long until it is heard; when it is, the same with 0 seconds.
Everything refused is answered with `/error address code text`.

**Subscriptions** last {LEASE:.0f} s from the client's last message, whatever it is. With a port,
answers and changes go there; without one, to where the messages come from. Patterns (`*` `?`
`[a-z]` `[!x]` `{{one,two}}`) reach controls and their twins, never buttons. To one client changes
go every 10 ms at most, and of a control that changes faster only the last value.

**Time.** A time tag says when something is to be *heard*, up to an hour ahead.

- `/gain` and `/pause` begin at the very frame that is at the ear at that time: the mixer is told
  before, and knows when each frame leaves by a delay-locked loop on what the sound card takes. From
  tag to tag that is exact to the frame without a card (`--device none`), and with one to what the
  loop sees of it: some frames (under 0.3 ms, measured on a busy machine). When exactly it is at the
  ear depends on what the card says of its latency. Their new value is told at the tag's time.
- Block controls are set when the block that will be heard at that time is the next to be asked
  for, and told then, with `/pending`. If that block is made already, at once: the next one has
  them. What is heard when is reckoned as if the music went on: if it is held meanwhile, they wait
  with it, but not beyond the tag's time.
- All else (and all of a bundle that asks, presses or recalls too) is carried out at that time, in
  order, about a millisecond exact.

A tag that has passed means at once. *Late*, and counted in `/status/osc/late`, is a bundle that
comes after its tag, or whose `/gain` or `/pause` cannot be heard at it any more: less than
`/status/latency/live` before (as soon as can be, then). So send 100 ms ahead, or more. What a
bundle sets of blocks is set in one go, and one block hears all of it.

**Pictures.** `/scope` and `/spectrum` are of what is heard now, `/picture` of what is made: bytes
from the line of play to the end of the lead and beyond as it grows, 25 columns a second, a message
under 1,400 bytes for up to 12. `/playhead`, `/block` and `/picture` count seconds of music on one
axis, as doubles: it stands still while the music is held, and goes on over `/panic`, `/reset` and
`/packs/load`. Columns are sent again where a block stands in place of music that was made; after
`/panic` and a change of pack `/picture/clear from` says that nothing from there on will be heard as
it was, and `/picture/clear 0` that the axis begins anew. Each figure is computed once for all who
ask, at most 80 times a second, and nothing while nobody asks.

**Buttons** act on 1, or on no argument, and ignore 0. **Presets, snapshots and recordings** lie in
the user's data folder (`~/.local/share/attacca` on Linux); their names are names, not paths, in any
script, and the same whether their letters are composed or not. No recording replaces another.

**Beat.** With `/quantise beat` or `bar`, `/preset/recall`, `/reset` and `/record` wait for it
(docs/tempo.md): the sender is told `ADDRESS/pending WHAT seconds`, then the same with 0 when it was
carried out, or -1 when a second press took its place. `/panic`, `/stop` and `/play` never wait.

**Snapshots.** A preset holds control values; a snapshot holds a moment of the music with its
controls and its tempo. `/snapshot/recall` sends `/snapshot/recall/pending NAME seconds` in the same
way when it waits. `/go_back` goes back within the history, whose length is in `/status/history`.
Number 1 stands for a new name, the last snapshot or the next seed, as a button sends it; 0 is
ignored. docs/tempo.md says what "on the bar" means.

**OSCQuery.** `http://{LOOPBACK}:{QUERY_PORT}/` tells programs all of this as JSON (the proposal of
Vidvox: `?HOST_INFO`, `/gain?VALUE`, `/pack`); `--oscquery-port` takes another port, and a free
one is taken when nobody asked and that one is in use. A WebSocket on the same port takes
`{{"COMMAND": "LISTEN", "DATA": "/gain"}}` and `IGNORE`, is pushed changes as binary OSC, and takes
binary OSC. `VALUE` is null where a control holds the word `free`; `TAGS` say *live* or *block*;
`DEFAULT_VALUE` is an addition. It listens where OSC does, to whom OSC does, and refuses web pages
of other machines (`Host`, `Origin`). Zeroconf announces `_oscjson._tcp` and `_osc._udp`, on
loopback alone unless `--osc-listen` says otherwise.

**Layouts.** `attacca osc --format FORMAT --out FILE` writes every control, with its range and its
default, for another program. Opening one turns nothing.

| format | opens in | |
| --- | --- | --- |
| `touchosc` | TouchOSC (`.tosc`) | set host and port {PORT} under Connections, OSC 1 |
| `open-stage-control` | Open Stage Control 1 (`.json`) | asks for what holds as it opens |
| `pd` | Pure Data 0.51 or newer (`.pd`) | click *connect*, then *subscribe* and *dump* |
| `max` | Max 8 (`.maxpat`) | Live parameters, also for Max for Live; open the gate to send |
| `supercollider` | SuperCollider (`.scd`) | evaluate it; `~attacca` sets and hears |
| `reaper` | REAPER (`.ReaperOSC`) | play, stop, pause and the master fader; the rest is a list |

**Program by program**, with tempo and recording: [REAPER](programs/reaper.md),
[Ableton Live](programs/ableton-live.md), [Ardour](programs/ardour.md),
[Bitwig](programs/bitwig.md), [Max](programs/max.md), [Pure Data](programs/pure-data.md).

**What one packet may do** is bounded, so that none holds the others up: 4,096 values set or told,
where a pattern counts as its length, a question as 64, a button as 8. The rest of the packet is
answered with `/error ... limit`. The packets that wait for their time share 8 MiB.
"""


def text(space: AddressSpace) -> str:
    """Columns for a terminal."""
    lines: list[str] = []
    for kind, title in _KINDS:
        rows = [(a.path, a.types, a.span or a.unit, a.when, a.about) for a in _of(space, kind)]
        lines += [f"{title.upper()}", *_columns(rows), ""]
    lines.append(
        "Numbers, switches and choices have a twin from 0 to 1 at ADDRESS/norm. "
        "docs/osc.md says the rest."
    )
    return "\n".join(lines)


def markdown(space: AddressSpace) -> str:
    """The whole of docs/osc.md."""
    parts = [_HEAD]
    for kind, title in _KINDS:
        parts.append(f"\n## {title}\n\n")
        if kind == "control":
            head = ("address", "type", "values", "default", "heard", "what it does")
            rows = [
                (f"`{a.path}`", a.types, a.span, _default(a), a.when, a.about)
                for a in _of(space, kind)
            ]
        else:
            head = ("address", "type", "values", "what it does")
            rows = [(f"`{a.path}`", a.types, a.span or a.unit, a.about) for a in _of(space, kind)]
        parts.append(_table(head, rows))
    return "".join(parts)


def as_json(space: AddressSpace) -> str:
    """One object an address; what an address lacks is left out."""
    return json.dumps({"port": PORT, "addresses": [_object(a) for a in space.addresses]}, indent=1)


FORMATS = {"text": text, "markdown": markdown, "json": as_json}


def _of(space: AddressSpace, kind: str) -> list[Address]:
    return [a for a in space.addresses if a.kind == kind]


def _object(a: Address) -> dict[str, object]:
    low_high = None if a.low is None else [a.low, a.high]
    default = list(a.default) if isinstance(a.default, tuple) else a.default
    every = {
        "path": a.path, "kind": a.kind, "types": a.types, "access": a.access, "range": low_high,
        "unit": a.unit, "choices": list(a.choices), "default": default, "free": a.free or None,
        "when": a.when, "control": a.param, "about": a.about,
    }  # fmt: skip
    return {name: value for name, value in every.items() if value not in ("", None, [])}


def _default(a: Address) -> str:
    if isinstance(a.default, bool):
        return str(int(a.default))
    if isinstance(a.default, tuple):
        return "none"
    return f"{a.default:g}" if isinstance(a.default, float) else str(a.default)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(c.replace("|", "\\|") for c in r) + " |\n" for r in lines)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [min(40, max((len(row[i]) for row in rows), default=0)) for i in range(4)]
    return [
        "  " + "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
