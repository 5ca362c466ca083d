"""Pictures and sounds of the pack: spectrograms, piano rolls, short Opus files.

Stretches of 30 s from minutes 1, 10 and 60 of the long stream beside three held-out works; and
sound of the controls. Writes `OUT/images/quality-*.png` and `OUT/sounds/*.opus`, together kept
under 2.5 MB. Samples are float32 [samples] mono.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.endurance import hour
from benchmarks.figures import Found
from benchmarks.keys import has_notes, holding, real_notes
from benchmarks.obedience import CHORDS, LEVELS, requested_chord, requested_level
from benchmarks.pictures import ACCENT, RANGE_DB, TOP_HZ, _plotting, spectrum_db
from benchmarks.streams import Played
from benchmarks.workbench import Workbench
from engine.errors import ConfigError
from engine.notes.note import Note
from engine.resample import resample

Samples = NDArray[np.float32]
SECONDS = 30.0
FROM = 20.0  # seconds into the minute
OPUS_RATE = 48_000
OPUS_LEVEL = 0.77  # of libsndfile: 1 - (kbit/s - 6) / 250 a channel; 64 kbit/s
COLOURS = 96  # of a picture's palette: a third of the bytes of full colour


@dataclass(frozen=True)
class Stretch:
    """30 s of sound: its title, its notes and its seams (seconds)."""

    title: str
    samples: Samples
    notes: Sequence[Note]
    seams: Sequence[float]


def from_stream(stream: Played, minute: int, seconds: float = SECONDS) -> Stretch:
    """A stretch of a minute (counted from 1) of a stream."""
    begin = (minute - 1) * 60 + FROM
    kept = stream.kept
    seams = [(j + kept.crossing) / kept.rate - begin for j in kept.joints]
    notes = shifted(stream.notes(), begin)
    return Stretch(
        f"Generated, minute {minute}", stream.cut(begin, seconds),
        [n for n in notes if n.end > 0 and n.start < seconds],
        [s for s in seams if 0 <= s < seconds],
    )  # fmt: skip


def shifted(notes: Sequence[Note], by: float) -> list[Note]:
    """The notes, timed from `by` seconds on."""
    return [Note(n.pitch, n.velocity, n.start - by, n.end - by) for n in notes]


def spectrograms(left: Sequence[Stretch], right: Sequence[Stretch], rate: int, path: Path) -> None:
    """Generated sound beside real, one scale of colours, seams marked."""
    plt = _plotting()
    figure, axes = plt.subplots(len(left), 2, figsize=(13, 2.5 * len(left)), sharex=True,
                                sharey=True, squeeze=False)  # fmt: skip
    both = [[spectrum_db(s.samples, rate) for s in side] for side in (left, right)]
    high = max(float(level.max()) for side in both for level, _ in side)
    for column, (side, levels) in enumerate(zip((left, right), both, strict=True)):
        for row, (stretch, (level, hop)) in enumerate(zip(side, levels, strict=True)):
            axis = axes[row][column]
            axis.imshow(
                level - high, origin="lower", aspect="auto", cmap="magma", vmin=-RANGE_DB, vmax=0,
                extent=(0, level.shape[1] * hop, 0, TOP_HZ / 1000), interpolation="antialiased",
            )  # fmt: skip
            _mark(axis, stretch)
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    for row in axes:
        row[0].set_ylabel("kHz")
    figure.savefig(path, dpi=90)
    plt.close(figure)
    fewer_colours(path)


def rolls(left: Sequence[Stretch], right: Sequence[Stretch], path: Path) -> None:
    """The notes of the same stretches; darker is louder."""
    plt = _plotting()
    figure, axes = plt.subplots(len(left), 2, figsize=(13, 2.2 * len(left)), sharex=True,
                                sharey=True, squeeze=False)  # fmt: skip
    for column, side in enumerate((left, right)):
        for row, stretch in enumerate(side):
            axis = axes[row][column]
            for n in stretch.notes:
                axis.plot(
                    [max(n.start, 0.0), min(max(n.end, n.start + 0.05), SECONDS)], [n.pitch] * 2,
                    color="#1d2433", alpha=0.15 + 0.85 * n.velocity / 127, lw=2,
                    solid_capstyle="butt",
                )  # fmt: skip
            _mark(axis, stretch)
    axes[0][0].set_ylim(21, 108)
    axes[0][0].set_xlim(0, SECONDS)
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    for row in axes:
        row[0].set_ylabel("MIDI pitch")
    figure.savefig(path, dpi=90)
    plt.close(figure)
    fewer_colours(path)


def _mark(axis: object, stretch: Stretch) -> None:
    axis.set_title(stretch.title, pad=8)  # type: ignore[attr-defined]
    if not stretch.seams:
        return  # an empty line that is not clipped would upset the layout
    axis.plot(  # type: ignore[attr-defined]
        list(stretch.seams), [1.02] * len(stretch.seams), "v", ms=3, color=ACCENT, clip_on=False,
        transform=axis.get_xaxis_transform(),  # type: ignore[attr-defined]
    )  # fmt: skip


def fewer_colours(path: Path) -> None:
    """Write a picture again, with a palette."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def write_opus(path: Path, samples: Samples, rate: int) -> int:
    """Sound as Opus of about 64 kbit/s, its ends faded. Returns the bytes written."""
    x = resample(samples, rate, OPUS_RATE).astype(np.float32)
    fade = min(round(0.02 * OPUS_RATE), len(x) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    x[:fade] *= ramp
    x[len(x) - fade :] *= ramp[::-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, OPUS_RATE, format="OGG", subtype="OPUS", compression_level=OPUS_LEVEL)
    return path.stat().st_size


def sounds(bench: Workbench, minutes: Sequence[Stretch]) -> dict[str, tuple[str, Samples]]:
    """{file name: (description, samples)} of all examples that this pack can play."""
    found = {
        f"minute-{s.title.split()[-1]}": (f"{s.title}: {SECONDS:g} s", s.samples) for s in minutes
    }
    seconds = bench.args.control_seconds
    if bench.has_control("harmony"):
        for name in list(CHORDS)[:2]:
            text = f"harmony requested: {name}"
            file = f"harmony-{name.replace(' ', '').lower()}"
            found[file] = (text, requested_chord(bench, name).cut(4.0, seconds))
    if bench.has_control("held"):
        found["held-chords"] = ("triads held every 4 blocks", holding(bench).cut(0.0, 25.0))
    if bench.has_control("density"):
        ends = LEVELS["density"].values[1], LEVELS["density"].values[-2]
        parts = [requested_level(bench, "density", v, 0).cut(4.0, 12.0) for v in ends]
        found["density"] = (
            f"density {ends[0]:g} onsets a second, then {ends[1]:g}", np.concatenate(parts)
        )  # fmt: skip
    return found


def listening(bench: Workbench) -> Found:
    """Write the pictures and the sounds.

    Raises
    ------
    ConfigError
        When the long stream is shorter than a minute.
    """
    out: Path = bench.args.out
    total = int(bench.args.endurance_minutes)
    marks = [m for m in (1, 10, 60) if m <= total] or ([1] if total else [])
    if not marks:
        raise ConfigError(
            "Pictures need a long stream of at least a minute. Use --endurance-minutes."
        )
    stream = hour(bench)
    generated = [from_stream(stream, m) for m in marks]
    rng = np.random.default_rng(bench.args.seed)
    if has_notes(bench):
        real = [
            Stretch("Held out, never trained on", x, notes, ())
            for x, notes in real_notes(bench, len(generated), SECONDS)
        ]
    else:
        pieces = rng.permutation(bench.held.longer_than(SECONDS + 1))[: len(generated)]
        real = [
            Stretch("Held out", bench.held.excerpt(int(p), SECONDS, rng)[1], (), ()) for p in pieces
        ]
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    lines = ["![Spectrograms of 30 s beside real ones](images/quality-spectrograms.png)"]
    spectrograms(generated, real, stream.rate, images / "quality-spectrograms.png")
    files = [images / "quality-spectrograms.png"]
    if any(s.notes for s in generated):
        rolls(generated, real, images / "quality-rolls.png")
        files.append(images / "quality-rolls.png")
        lines.append("![The notes of the same stretches](images/quality-rolls.png)")
    for name, (text, samples) in sounds(bench, generated).items():
        path = out / "sounds" / f"{name}.opus"
        write_opus(path, samples, stream.rate)
        files.append(path)
        lines.append(f"- [{text}](sounds/{path.name})")
    size = sum(p.stat().st_size for p in files) / 1e6
    print(f"pictures: {len(files)} files, {size:.2f} MB", flush=True)
    text = "Marks stand at the seams.\n\n" + "\n".join(lines)
    return Found({}, text, {"files": [p.name for p in files], "mb": size})
