"""The controls of the engine, for every pack. Pure data: any thread.

The table of an instrument consists of these and of the pack's (engine/controls/table.py).
"""

from __future__ import annotations

from engine.controls.control import Control

__all__ = ["ENGINE_CONTROLS"]

_NO_LOCK = "Presets, A/B, undo and redo do not change the {}."

ENGINE_CONTROLS: tuple[Control, ...] = (
    Control("gain", "number", 0.0, "live", "Output level.", -60.0, 12.0, "dB"),
    Control(
        "pause", "switch", False, "live",
        "Pause. Audio that is already generated stays in the buffer.",
        in_presets=False, transport=True,
    ),
    Control("lock/gain", "switch", False, "live", _NO_LOCK.format("gain"), in_presets=False),
    Control(
        "steps", "whole", 8, "block",
        "Network evaluations per block, of the first stage; later ones take fewer in proportion, "
        "never more than their own.",
        1, 200, group="sampler",
    ),
    Control(
        "sampler", "choice", "pack", "block",
        "How the steps are taken; pack: as each of its stages has it.",
        choices=("pack", "ddim", "euler", "heun", "dpmpp_2m", "ancestral", "ddpm", "ping_pong"),
        group="sampler",
    ),
    Control(
        "temperature", "number", 1.0, "block",
        "Scale of the noise that a block starts from: lower is calmer.", 0.5, 1.5,
        group="sampler",
    ),
    Control(
        "guidance", "number", 1.0, "block",
        "How strictly a block follows its past or, where a pack has them, its controls: 1 as "
        "trained, more is stricter.", 0.0, 4.0, group="continuation",
    ),
    Control(
        "stride", "number", 1.0, "block",
        "How much of a block is kept before the next is generated.", 0.125, 1.0, "block",
        group="continuation",
    ),
    Control("seed", "whole", 1, "block", "Same seed, same music.", 0, 2**31 - 1,
            group="continuation"),
    Control("lock/seed", "switch", False, "live", _NO_LOCK.format("seed"), group="continuation",
            in_presets=False),
    Control(
        "tempo", "number", 120.0, "live",
        "Beats per minute of the clock that actions wait for, and of music on a beat grid.", 20.0,
        300.0,
        "BPM", group="tempo", in_presets=False,
    ),
    Control("beats", "whole", 4, "live", "Beats in a bar.", 1, 16, group="tempo",
            in_presets=False),
    Control(
        "quantise", "choice", "off", "live",
        "What presets, new pieces and recordings wait for; panic and stop never wait.",
        choices=("off", "beat", "bar"), group="tempo", in_presets=False,
    ),
    Control(
        "tempo_source", "choice", "own", "live",
        "Tempo source: own (internal), MIDI clock or Ableton Link.",
        choices=("own", "midi", "link"), group="tempo", in_presets=False,
    ),
)  # fmt: skip
