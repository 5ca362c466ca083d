"""The decoder's losses: true magnitudes of held-out works decoded, against the originals.

Nothing is sampled here: the pack's representation and phase alone. Sound is cut into minutes.
"""

from __future__ import annotations

import numpy as np

from benchmarks.embedding import Frechet
from benchmarks.figures import Found, Value
from benchmarks.onsets import matched, scores
from benchmarks.workbench import Workbench, thinned


def decoder(bench: Workbench) -> Found:
    """Onsets transcribed from both, and the distance between both."""
    count = max(3, round(bench.args.decoder_minutes))
    originals = bench.minutes(1, count)
    decoded = [bench.source.decoded(x) for x in originals]
    pairs = found = true = 0
    each = []
    for x, y in zip(originals, decoded, strict=True):
        want, got = bench.notes_of(x), bench.notes_of(y)
        hits = matched(got, want, 0.05)
        each.append(scores(hits, len(got), len(want))[2])
        pairs, found, true = pairs + hits, found + len(got), true + len(want)
        print(f"decoder: {len(each)} of {count} min, F1 {each[-1]:.3f}", flush=True)
    precision, recall, f1 = scores(pairs, found, true)
    cloud = bench.cloud(*originals)
    axes = min(bench.args.axes, len(cloud) // 4)
    reference = Frechet(cloud, axes)
    other = bench.cloud(*bench.minutes(0, count))
    far = bench.cloud(*decoded)
    size = min(len(other), len(far))
    unit, distance = (reference.distance(thinned(c, size)) for c in (other, far))
    units = distance / unit
    return Found(
        {
            "decoder_f1": Value(f1, f"{f1:.3f} ({true} onsets in {count} min)"),
            "decoder_distance": Value(units, f"{units:.2f} ({distance:.2f}; unit {unit:.2f})"),
        },
        f"{count} min of held-out works. Precision {precision:.3f}, recall {recall:.3f}; F1 of "
        f"single minutes {np.min(each):.3f} to {np.max(each):.3f}. The distance is to the cloud of "
        f"the originals themselves ({axes} axes), the unit that of as much of the other half of "
        "the works.",
        {"precision": precision, "recall": recall, "f1_of_minutes": each, "onsets": true,
         "distance": distance, "unit": unit, "minutes": count, "axes": axes},
    )  # fmt: skip
