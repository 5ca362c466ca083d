"""How far generated sound is from held-out works, from the first pack, and with more steps.

Streams with instruments, rooms and tones drawn like the data's, all other controls free.
Clouds that are compared have the same number of windows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from benchmarks.embedding import level_db
from benchmarks.figures import Found, Value
from benchmarks.material import Source, white_noise
from benchmarks.streams import play
from benchmarks.workbench import Cloud, Workbench, thinned
from engine.errors import ConfigError

MANY = 50
_AUDIO = {".wav", ".flac", ".ogg", ".opus"}


def generated_cloud(bench: Workbench) -> Cloud:
    """Windows of all streams, one stream after another."""
    return np.concatenate([bench.cloud_of(s) for s in bench.streams(bench.args.minutes)])


def generated(bench: Workbench) -> Found:
    """Distance to held-out works, in units of what their two halves are apart."""
    args, ruler = bench.args, bench.yardstick
    streams = bench.streams(args.minutes)
    cloud = generated_cloud(bench)
    units, distance = ruler.units(cloud)
    used = len(ruler.trimmed(cloud))
    unit = ruler.unit(used)
    size = min(len(cloud), len(ruler.others))
    whole = ruler.reference.distance(thinned(cloud, size)), ruler.unit(size)
    each = [ruler.units(bench.cloud_of(s))[0] for s in streams]
    loud = level_db(streams[0].cut(0.0, 60.0))
    rng = np.random.default_rng(args.seed)
    noise = bench.cloud(white_noise(60 * streams[0].rate, loud, rng))
    far = ruler.reference.distance(noise)
    total = args.minutes * args.streams
    return Found(
        {"distance": Value(units, f"{units:.2f} ({distance:.2f}; unit {unit:.2f})")},
        f"{args.streams} streams of {args.minutes:g} min ({used} of their {len(cloud)} windows) "
        f"against {args.reference_minutes} min of one half of the held-out works, the unit as many "
        "windows of the other half. The unit shrinks with the number of windows: with all of them "
        f"the distance is {whole[0]:.2f}, the unit {whole[1]:.2f}. Single streams: "
        f"{min(each):.1f} to {max(each):.1f} units of their own length. White noise: "
        f"{far / unit:.0f}. Network and decoder took "
        f"{np.mean([s.kept.cost for s in streams]):.3f} s of processor time a second.",
        {"distance": distance, "unit": unit, "units": units, "each": each, "noise": far,
         "minutes": total, "windows": used, "whole": whole, "all_windows": len(cloud)},
    )  # fmt: skip


def first_cloud(bench: Workbench) -> Cloud:
    """The first pack's: a pack's folder, or a folder or file of what it rendered.

    Raises
    ------
    ConfigError
        When there is none, or it holds neither.
    """
    path: Path | None = bench.args.first_pack
    if path is None:
        raise ConfigError("The first pack is missing. Use --first-pack with its folder.")
    if (path / "pack.toml").is_file():
        source = Source(str(path), bench.args.threads)
        stream = play(
            source, bench.folder, "first", bench.args.first_minutes * 60, source.request(seed=1)
        )
        return bench.cloud_of(stream)
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    parts = [p for p in files if p.suffix.lower() in _AUDIO]
    if not parts:
        raise ConfigError(
            f"{path}: neither a pack.toml nor sound. Use the folder of the first pack."
        )
    clouds = []
    for file in parts:
        audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
        clouds.append(bench.cloud(audio.mean(axis=1), rate=rate))
    return np.concatenate(clouds)


def first(bench: Workbench) -> Found:
    """Distance over that of the first pack, to the same works and over as many windows."""
    old, new = first_cloud(bench), generated_cloud(bench)
    size = min(len(old), len(new))
    a, b = (bench.yardstick.reference.distance(thinned(c, size)) for c in (new, old))
    unit = bench.yardstick.unit(size)
    return Found(
        {"first_pack": Value(a / b, f"{a / b:.2f} ({a:.1f} / {b:.1f})")},
        f"{size} windows of each, at 16 kHz: the first pack is {b / unit:.1f} units away, "
        f"this one {a / unit:.1f}.",
        {"first": b, "this": a, "unit": unit, "windows": size},
    )


def many(bench: Workbench) -> Found:
    """The default number of evaluations against 50, of the same seeds and instruments."""
    args = bench.args
    minutes = args.many_minutes
    few_streams = bench.streams(args.minutes)
    many_streams = bench.streams(minutes, steps=MANY)
    few = np.concatenate([bench.cloud_of(s, 0.0, minutes * 60) for s in few_streams])
    more = np.concatenate([bench.cloud_of(s, 0.0, minutes * 60) for s in many_streams])
    size = min(len(few), len(more))
    a, b = (bench.yardstick.reference.distance(thinned(c, size)) for c in (few, more))
    unit = bench.yardstick.unit(size)
    steps = bench.request(args.seed).settings["steps"]
    costs = [np.mean([s.kept.cost for s in s_]) for s_ in (few_streams, many_streams)]
    return Found(
        {"few_many": Value(a / b, f"{a / b:.2f} ({steps}: {a:.2f}; {MANY}: {b:.2f})")},
        f"The first {minutes:g} min of {args.streams} streams, {size} windows of each: "
        f"{a / unit:.2f} and {b / unit:.2f} units; {costs[0]:.3f} against {costs[1]:.3f} s of "
        "processor time a second.",
        {"few": a, "many": b, "unit": unit, "steps": steps, "costs": costs, "windows": size},
    )
