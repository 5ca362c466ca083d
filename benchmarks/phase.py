"""Compares the phase reconstructions on real audio and prints the table of docs/phase.md.

    python -m benchmarks.phase --audio PIANO.ogg [--out docs/phase-table.md]

Every row is measured in one run on the same magnitudes: those of the recording, at 16 kHz mono,
with the topmost row discarded and put back as zeros, in blocks as a pack delivers them. Cost is
process time per second of audio.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from benchmarks.griffin_lim import griffin_lim
from benchmarks.phase_measures import (
    log_spectral_distance,
    multi_resolution_error,
    seam_convergence,
    seam_jumps,
    spectral_convergence,
)
from engine.representations.phase_stream import DEFAULT_PHASE, StreamingGriffinLim, make_phase
from engine.representations.stft import Stft
from engine.resample import resample


class Row(NamedTuple):
    """One line of the table."""

    name: str
    make: Callable[[], np.ndarray]
    held: int  # frames kept back: where the seams of this one lie


def load(path: Path, rate: int, begin: float, seconds: float) -> np.ndarray:
    with soundfile.SoundFile(path) as file:
        file.seek(int(begin * file.samplerate))
        audio = file.read(int(seconds * file.samplerate), dtype="float32", always_2d=True)
        return resample(audio.mean(axis=1), file.samplerate, rate)


def stream(phase: StreamingGriffinLim, magnitude: np.ndarray, block: int) -> np.ndarray:
    phase.reset()
    parts = [phase.push(magnitude[:, n : n + block]) for n in range(0, magnitude.shape[1], block)]
    return np.concatenate([*parts, phase.flush()])


def independent(
    magnitude: np.ndarray, stft: Stft, block: int, iterations: int, fade: bool
) -> np.ndarray:
    """Griffin-Lim on each block alone, the results cut at the seam or cross-faded over it."""
    out = np.zeros(stft.samples_of(magnitude.shape[1]), np.float32)
    ramp = np.linspace(0.0, 1.0, stft.overlap, dtype=np.float32)
    for n in range(0, magnitude.shape[1], block):
        rng = np.random.default_rng(n)
        part = griffin_lim(magnitude[:, n : n + block], stft, iterations, 0.0, rng)
        at = n * stft.hop
        if fade and n:
            part[: stft.overlap] *= ramp
            out[at : at + stft.overlap] *= 1.0 - ramp
            out[at : at + part.size] += part
        else:
            out[at : at + part.size] = part
    return out


def rows(magnitude: np.ndarray, samples: np.ndarray, stft: Stft, block: int) -> list[Row]:
    def whole(iterations: int, momentum: float) -> Callable[[], np.ndarray]:
        return lambda: griffin_lim(magnitude, stft, iterations, momentum)

    def alone(iterations: int, fade: bool) -> Callable[[], np.ndarray]:
        return lambda: independent(magnitude, stft, block, iterations, fade)

    def streamed(
        kind: str, iterations: int | None = None, lookahead: int | None = None, size: int = block
    ) -> Callable[[], np.ndarray]:
        phase = make_phase(kind, stft, iterations=iterations, lookahead=lookahead)
        return lambda: stream(phase, magnitude, size)

    table = [Row("the recording itself", lambda: samples, 0)]
    for n in (32, 100):
        table.append(Row(f"paper GL, {n} it., each block alone, cut", alone(n, False), 0))
    for n in (32, 100):
        table.append(Row(f"paper GL, {n} it., each block alone, cross-faded", alone(n, True), 0))
    for n in (32, 100):
        table.append(Row(f"paper GL, {n} it., whole (offline)", whole(n, 0.0), 0))
    for n in (32, 100):
        table.append(Row(f"fast GL, {n} it., whole (offline)", whole(n, 0.99), 0))
    table.append(Row("`gradient`: RTPGHI, no look-ahead", streamed("gradient", 0, 0), 0))
    table.append(Row("`gradient`: RTPGHI", streamed("gradient"), 1))
    for n in (4, 8, 16, 32, 48):
        name = f"`gradient-gl`: RTPGHI + fast GL, {n} it., look-ahead 4"
        table.append(Row(name, streamed("gradient-gl", n), 4))
    for n in (16, 32, 48, 64):
        name = f"`gradient-raar`: RTPGHI + RAAR + 4 it. of fast GL, {n} it. in all, look-ahead 4"
        table.append(Row(name, streamed("gradient-raar", n), 4))
    for look in (0, 2, 8, 16):
        name = f"`gradient-raar`, 48 it., look-ahead {look}"
        table.append(Row(name, streamed("gradient-raar", 48, look), look))
    short = max(1, block // 4)
    name = f"`gradient-raar`, 48 it., look-ahead 4, pushes of {short} frames"
    table.append(Row(name, streamed("gradient-raar", size=short), 4))
    return table


def measure(
    row: Row, target: np.ndarray, original: np.ndarray, stft: Stft, block: int, rate: int
) -> str:
    began = time.process_time()
    samples = row.make()
    cost = (time.process_time() - began) / (original.size / rate)
    length = min(samples.size, original.size)
    got = np.abs(stft.forward(samples[:length]))
    # The fade-in and fade-out at the ends are not the subject.
    inner = slice(stft.ratio, got.shape[1] - stft.ratio)
    edges = range((block - row.held) * stft.hop, length - stft.window, block * stft.hop)
    jumps = seam_jumps(samples, edges)
    error = spectral_convergence(target[:, inner], got[:, inner])
    return (
        f"| {row.name} "
        f"| {log_spectral_distance(target[:, inner], got[:, inner]):.2f} "
        f"| {error:.4f} "
        f"| {seam_convergence(target, got, stft, edges):.4f} "
        f"| {multi_resolution_error(original[:length], samples[:length]):.3f} "
        f"| {jumps.mean():+.1f} / {jumps.max():+.1f} "
        f"| {cost:.4f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phase", description=__doc__)
    parser.add_argument("--audio", type=Path, required=True, help="a recording of real piano")
    parser.add_argument("--out", type=Path, help="write the table there as well")
    parser.add_argument("--begin", type=float, default=5.0, help="seconds to skip")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=16_000)
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--hop", type=int, default=256)
    parser.add_argument("--block", type=int, default=128, help="frames a block")
    args = parser.parse_args()

    stft = Stft(args.window, args.hop)
    samples = load(args.audio, args.rate, args.begin, args.seconds)
    blocks = stft.frames_of(samples.size) // args.block
    samples = samples[: stft.samples_of(blocks * args.block)]
    target = np.abs(stft.forward(samples))
    target[-1] = 0.0
    lines = [
        f"{args.audio.name}, {samples.size / args.rate:.1f} s at {args.rate} Hz; window "
        f"{args.window}, hop {args.hop}, {blocks} blocks of {args.block} frames; "
        f"numpy {np.__version__}, Python {platform.python_version()}; "
        f"default kind `{DEFAULT_PHASE}`.",
        "",
        "| method | log-spectral distance, dB | spectral convergence | the same at the seams "
        "| multi-resolution error | seam jump z, mean / max | s per s of audio |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for row in rows(target, samples, stft, args.block):
        lines.append(measure(row, target, samples, stft, args.block, args.rate))
        print(lines[-1], flush=True)
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
