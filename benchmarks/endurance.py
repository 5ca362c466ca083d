"""An hour in one stream: does it drift, fall silent, break, or leave a note hanging?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Found, Value
from benchmarks.measures import character
from benchmarks.streams import Played, paired
from benchmarks.workbench import Workbench

SILENT_DB = -60.0
SILENT_S = 3.0  # shorter ones are rests
STUCK_S = 12.5  # seconds; the notes stage lets no key sound for over 12
_FRAME_S = 0.05
ENDS_S = 300.0  # compared at both ends

Samples = NDArray[np.float32]


def silences(pieces: Iterable[Samples], rate: int) -> list[tuple[float, float]]:
    """(begin, length) in seconds of every stretch under -60 dBFS, in frames of 50 ms."""
    n = round(_FRAME_S * rate)
    quiet: list[NDArray[np.bool_]] = []
    rest = np.zeros(0, np.float32)
    for piece in pieces:
        whole = np.concatenate([rest, piece])
        frames = whole[: len(whole) // n * n].reshape(-1, n)
        power = np.mean(np.square(frames, dtype=np.float64), axis=1)
        quiet.append(power < 10 ** (SILENT_DB / 10))
        rest = whole[len(whole) // n * n :]
    flags = np.concatenate([[False], *quiet, [False]]).astype(np.int8)
    turns = np.flatnonzero(np.diff(flags))
    return [(float(a) * n / rate, float(b - a) * n / rate) for a, b in turns.reshape(-1, 2)]


def stuck(events: list[tuple[int, int, int]], rate: int, length: int) -> tuple[int, float, int]:
    """(notes that sound for over 12.5 s, the longest in seconds, notes in all).

    A note that is never released counts as sounding to the stream's end.
    """
    notes, _, _ = paired(events, rate, length)
    lasting = [n.end - n.start for n in notes]
    return sum(s > STUCK_S for s in lasting), max(lasting, default=0.0), len(notes)


def silences_of_works(bench: Workbench) -> tuple[int, float]:
    """(silences of over 3 s in all held-out works, hours of these)."""
    rate, count, samples = bench.held.rate, 0, 0
    for piece, p in enumerate(bench.held.pieces):
        whole = bench.held.cut(piece, 0, p["length"])
        # The sound of a piece's last note decays; that is no rest.
        found = silences([whole], rate)
        ends = whole.size / rate - 0.1
        count += sum(length > SILENT_S and begin + length < ends for begin, length in found)
        samples += whole.size
    return count, samples / rate / 3600


def hour(bench: Workbench) -> Played:
    """The long stream, with the controls that a player begins with."""
    minutes = bench.args.endurance_minutes
    return bench.play("hour", minutes * 60, bench.request(bench.args.seed))


def endurance(bench: Workbench) -> Found:
    """All rows of the long stream."""
    stream = hour(bench)
    rate, total = stream.rate, bench.args.endurance_minutes * 60
    ends = min(ENDS_S, total / 3)
    first = bench.cloud_of(stream, 0.0, ends)
    last = bench.cloud_of(stream, total - ends, ends)
    (units_a, a), (units_b, b) = bench.yardstick.units(first), bench.yardstick.units(last)
    quiet = silences(stream.pieces(), rate)
    long = [s for s in quiet if s[1] > SILENT_S]
    longest = max((s[1] for s in quiet), default=0.0)
    hanging, longest_note, notes = stuck(stream.kept.events, rate, stream.kept.length)
    kept, short = stream.kept, total < 3600
    no_notes = "" if notes else " (the pack sends no notes)"
    marks = sorted({m for m in (1, 10, 30, 60) if m * 60 <= total} | {int(total // 60)} - {0})
    minutes = {str(m): character(stream.cut((m - 1) * 60, 60.0), rate) for m in marks}
    text = "; ".join(
        f"minute {m}: {c['level_db']:.1f} dBFS, centroid {c['centroid_hz']:.0f} Hz, "
        f"{c['onsets']:.1f} onsets/s" for m, c in minutes.items()
    )  # fmt: skip
    rests, hours = silences_of_works(bench)
    return Found(
        {
            "drift": Value(b / a, f"{b / a:.2f} ({b:.2f} / {a:.2f})", short),
            "silence": Value(len(long), f"{len(long)} (longest {longest:.1f} s)", short),
            "not_finite": Value(kept.not_finite, str(kept.not_finite), short),
            "clipped": Value(
                kept.clipped,
                f"{kept.clipped} (the limiter had {kept.over} samples to bring down)", short,
            ),
            "stuck": Value(
                hanging, f"{hanging} of {notes} notes (longest {longest_note:.1f} s){no_notes}",
                short,
            ),
        },
        f"{total / 60:g} min in one stream; {ends / 60:.2g} min at each end, {units_a:.2f} and "
        f"{units_b:.2f} units. {text}. Silences of over 3 s within held-out works: {rests} in "
        f"{hours:.1f} h.",
        {"first": a, "last": b, "silences": long, "longest_silence": longest, "notes": notes,
         "silences_of_works": rests, "hours_of_works": hours,
         "longest_note": longest_note, "minutes": minutes, "seconds": total,
         "over_before_limiter": kept.over},
    )  # fmt: skip
