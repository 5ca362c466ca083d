"""Notes in and out: are held keys in the sound, and are the notes that are sent, at their times?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from benchmarks.figures import Found, Value
from benchmarks.material import StreamRequest
from benchmarks.obedience import needs
from benchmarks.onsets import found_in_sound
from benchmarks.streams import Played
from benchmarks.workbench import Workbench
from engine.errors import ConfigError
from engine.notes.note import Note
from engine.packs.plan import block_seconds

TRIADS = (
    (60, 64, 67), (57, 60, 64), (53, 57, 60), (55, 59, 62), (62, 66, 69), (51, 55, 58),
    (48, 55, 64), (67, 71, 74),
)  # fmt: skip
BLOCKS = 4  # that a triad is held for; as many free ones follow
WITHIN_S = 0.03
_COUNTS: tuple[str, ...] = ("sent", "found", "wide", "late", "late_of", "beside")


def held_in(index: int) -> tuple[int, ...]:
    """The keys held in a block of the test stream."""
    turn = index // BLOCKS
    return TRIADS[turn // 2 % len(TRIADS)] if turn % 2 == 1 else ()


def _holding(index: int, request: StreamRequest) -> StreamRequest:
    return request.changed(held=held_in(index))


def holding(bench: Workbench) -> Played:
    """The test stream: free, a triad, free, the next triad, ..."""
    blocks = 2 * BLOCKS * len(TRIADS) + BLOCKS
    seconds = blocks * block_seconds(bench.source.manifest)
    plan = f"{TRIADS} {BLOCKS}"
    return bench.play("holding", seconds, bench.request(bench.args.seed), each=_holding, plan=plan)


def sounding_in(
    notes: Sequence[Note], spans: Sequence[tuple[float, float]], keys: Sequence[Sequence[int]]
) -> tuple[int, int]:
    """(how many keys sound at some moment of their span of time, how many there are)."""
    hits = total = 0
    for (begin, end), pitches in zip(spans, keys, strict=True):
        sounding = {n.pitch for n in notes if n.start < end and n.end > begin}
        hits += sum(p in sounding for p in pitches)
        total += len(pitches)
    return hits, total


def block_spans(stream: Played, delay: float) -> list[tuple[float, float]]:
    """(begin, end) in seconds of each whole block in the sound, of notes `delay` late."""
    shift = stream.kept.crossing / stream.rate + delay
    edges = [0.0, *(j / stream.rate for j in stream.kept.joints)]
    return [(a + shift, b + shift) for a, b in pairwise(edges)]


def held(bench: Workbench) -> Found:
    """Recall of held keys in the blocks they are held in, and of the same keys when they are not.

    The sound is a few tokens behind the notes, which it reads ahead: spans are moved by that.
    """
    needs(bench, "held")
    stream, manifest = holding(bench), bench.source.manifest
    behind = bench.source.plan.delay(bench.source.spectrum.name)
    spans = block_spans(stream, float(behind / stream.rate))
    notes = bench.notes_of(stream.cut(), stream.rate)
    wanted = [held_in(k) for k in range(len(spans))]
    # The triad that comes next, in the blocks before it: chance.
    before = [held_in(k + BLOCKS) if not a else () for k, a in enumerate(wanted)]
    hits, total = sounding_in(notes, spans, wanted)
    free_hits, free_total = sounding_in(notes, spans, before)
    recall, chance = hits / max(total, 1), free_hits / max(free_total, 1)
    return Found(
        {"held": Value(recall, f"{recall:.3f} ({hits} of {total}; not held: {chance:.2f})")},
        f"{len(TRIADS)} triads, each held for {BLOCKS} blocks of {block_seconds(manifest):.2f} s, "
        "as many free ones between them. In brackets the same keys in the blocks before.",
        {"recall": recall, "not_held": chance, "keys": total},
    )


def events(bench: Workbench) -> Found:
    """The share of notes sent that are struck in the sound within 30 ms.

    It is divided by the measure's own ceiling: the share that it finds of the same notes on the
    sampled pianos of the data (without their kit: of true notes in held-out works).
    """
    needs_notes(bench)
    seconds = bench.args.events_seconds
    counts, real, sampled = (dict.fromkeys(_COUNTS, 0) for _ in range(3))
    streams = bench.streams(bench.args.minutes)
    for k, stream in enumerate(streams):
        x = stream.cut(0.0, seconds)
        sent = [n for n in stream.notes() if 0.1 <= n.start < seconds - 0.2]
        tally(counts, x, stream.rate, sent, bench.notes_of(x, stream.rate))
        if bench.pianos is not None:
            x = bench.pianos.render(sent, bench.timbre(k), seconds)
            tally(sampled, x, stream.rate, sent, bench.notes_of(x, stream.rate))
        print(f"events: {counts['found']} of {counts['sent']}", flush=True)
    for x, notes in real_notes(bench, len(streams), seconds):
        tally(real, x, bench.held.rate, notes, bench.notes_of(x))
    found, wide, late, beside = shares(counts)
    ceiling = shares(sampled if bench.pianos is not None else real)[0]
    value = found / max(ceiling, 1e-9)
    others = {"true notes in held-out works": real, "the same notes on the sampled pianos": sampled}
    shown = "; ".join(
        "{0}: {1[0]:.3f}, of them moved {1[2]:.2f} and {1[3]:.2f}".format(name, shares(c))
        for name, c in others.items() if c["sent"]
    )  # fmt: skip
    return Found(
        {"events": Value(value, f"{value:.3f} ({found:.3f} of {counts['sent']} sent are found; "
                                f"most that could be: {ceiling:.3f})")},
        f"{seconds:g} s of each stream. An onset is there when it is transcribed, or the note's "
        f"partials rise by 3 dB, within {WITHIN_S * 1e3:g} ms; {wide:.3f} are found within "
        f"{2 * WITHIN_S * 1e3:g} ms. Soft notes under loud ones are not always found, so the share "
        f"is divided by the ceiling. Found of {shown}. Of notes sent, moved by 0.15 s "
        f"{late:.2f}, by a semitone {beside:.2f}.",
        {"generated": counts, "held_out": real, "sampled": sampled},
    )  # fmt: skip


def shares(counts: dict[str, int]) -> tuple[float, float, float, float]:
    """Shares of a tally: found within 30 ms, within 60 ms, of notes moved in time, in pitch."""
    sent = max(counts["sent"], 1)
    late = counts["late"] / max(counts["late_of"], 1)
    return counts["found"] / sent, counts["wide"] / sent, late, counts["beside"] / sent


def tally(
    counts: dict[str, int], x: np.ndarray, rate: int, sent: list[Note], transcribed: list[Note]
) -> None:
    """Count the notes that are found, and the same notes in wrong places."""
    late = [replace(n, start=n.start + 0.15) for n in sent if n.start + 0.3 < len(x) / rate]
    beside = [replace(n, pitch=n.pitch + 1) for n in sent]
    counts["sent"] += len(sent)
    counts["late_of"] += len(late)
    for key, notes in (("found", sent), ("late", late), ("beside", beside)):
        counts[key] += found_in_sound(x, rate, notes, transcribed, WITHIN_S)
    counts["wide"] += found_in_sound(x, rate, sent, transcribed, 2 * WITHIN_S)


def needs_notes(bench: Workbench) -> None:
    """Refuse a pack that sends no notes, and a dataset without them.

    Raises
    ------
    ConfigError
        With the name of the missing part.
    """
    if not bench.source.manifest.has_notes:
        name = bench.source.manifest.name
        raise ConfigError(f"pack {name!r} sends no notes. Leave this part out with --only.")
    if not has_notes(bench):
        raise ConfigError(
            f"{bench.args.held / 'notes.npy'}: missing. Build the dataset again with "
            "'python -m training.data.build'."
        )


def has_notes(bench: Workbench) -> bool:
    """Whether the dataset of the held-out works has their notes beside them."""
    return (bench.args.held / "notes.npy").is_file()


def real_notes(bench: Workbench, count: int, seconds: float) -> list[tuple[np.ndarray, list[Note]]]:
    """Excerpts of held-out works with their true notes, timed from the excerpt's beginning."""
    table = np.load(bench.args.held / "notes.npy", mmap_mode="r")
    rng = np.random.default_rng(bench.args.seed)
    rate, found = bench.held.rate, []
    long = bench.held.longer_than(seconds + 2)
    able = [i for i in long if "notes_offset" in bench.held.pieces[i]]
    for piece in rng.permutation(able)[:count]:
        p = bench.held.pieces[int(piece)]
        at, x = bench.held.excerpt(int(piece), seconds, rng)
        begin = at / rate
        rows = table[p["notes_offset"] : p["notes_offset"] + p["notes_count"]]
        notes = [Note(int(a), int(b), float(c) - begin, float(d) - begin) for a, b, c, d in rows]
        found.append((x, [n for n in notes if 0.1 <= n.start < seconds - 0.2]))
    return found
