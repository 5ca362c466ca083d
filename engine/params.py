"""The one table of controls. Everything that shows or takes a control is made from it.

A *live* control is heard within the output latency; a *block* control from the next block on.
Values are in real units; `Param.clip` brings any value into range. Pure data: any thread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from engine.errors import ConfigError

When = Literal["live", "block"]
Group = Literal["sound", "sampler", "continuation", "output", "harmony", "tempo"]
GROUPS: tuple[Group, ...] = ("sound", "sampler", "continuation", "output", "harmony", "tempo")
Value = float | int | str | bool
FREE = "free"  # of a control that is left to the music
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
HARMONY = tuple("harmony_" + p.lower().replace("#", "_sharp") for p in PITCH_CLASSES)


@dataclass(frozen=True)
class Param:
    """One control.

    Attributes
    ----------
    name : the last part of its address, such as `temperature`.
    kind : `float`, `int`, `bool` or `choice`.
    default, low, high : in `unit`s; for a choice only `default`.
    choices : the names a choice takes, in the order of their indices.
    when : `live` or `block`.
    free : whether it also takes the word `free`, which leaves it to the music.
    packs : whether only some packs hear it: those whose manifest names it.
    group : what it is shown with.
    in_presets : whether presets hold it.
    transport : whether it starts or stops the music; undo leaves it alone.
    about : one sentence for whoever turns it.
    """

    name: str
    kind: Literal["float", "int", "bool", "choice"]
    default: Value
    when: When
    about: str
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    choices: tuple[str, ...] = ()
    free: bool = False
    packs: bool = False
    group: Group = "output"
    in_presets: bool = True
    transport: bool = False

    def clip(self, value: object) -> Value:
        """Return `value` as this control holds it, brought into range.

        Raises
        ------
        ConfigError
            When it is not of the control's kind: not a number, or not one of the choices.
        """
        if self.kind == "choice":
            return self._choice(value)
        if self.kind == "bool":
            return self._bool(value)
        if self.free and value == FREE:
            return FREE
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if math.isnan(number):
            raise ConfigError(f"{self.name}: {value!r} is not a number; give {self.span()}")
        number = min(max(number, self.low), self.high)
        return round(number) if self.kind == "int" else number

    def check(self, value: object) -> Value:
        """Like `clip`, but a number out of range is an error: for options a person typed.

        Raises
        ------
        ConfigError
            Naming the value and the bounds.
        """
        clipped = self.clip(value)
        if self.kind in ("float", "int") and clipped != FREE:
            number = float(value)  # type: ignore[arg-type]
            if not self.low <= number <= self.high:
                raise ConfigError(f"{self.name}: {value} is out of range; give {self.span()}")
            if self.kind == "int" and number != clipped:
                raise ConfigError(f"{self.name}: {value} is no whole number; give {self.span()}")
        return clipped

    def span(self) -> str:
        """The values it takes, for people."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "bool":
            return "on or off"
        form = ".0f" if self.kind == "int" else "g"
        free = f", or {FREE}" if self.free else ""
        return (
            f"{self.low:{form}} to {self.high:{form}}{' ' + self.unit if self.unit else ''}{free}"
        )

    def _choice(self, value: object) -> str:
        if isinstance(value, str) and value in self.choices:
            return value
        if isinstance(value, (int, float)) and 0 <= value < len(self.choices):
            return self.choices[int(value)]
        raise ConfigError(f"{self.name}: {value!r} is unknown; give {self.span()}")

    def _bool(self, value: object) -> bool:
        words = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        if isinstance(value, (bool, int, float)):
            return bool(value)
        raise ConfigError(f"{self.name}: {value!r} is neither on nor off")


PARAMS: tuple[Param, ...] = (
    Param("gain", "float", 0.0, "live", "Output level.", -60.0, 12.0, "dB"),
    Param(
        "pause", "bool", False, "live",
        "Pause. Audio that is already generated stays in the buffer.",
        in_presets=False, transport=True,
    ),
    Param(
        "lock_gain", "bool", False, "live", "Presets, A/B, undo and redo leave the gain alone.",
        in_presets=False,
    ),
    Param(
        "steps", "int", 8, "block",
        "Network evaluations per block, of the first stage; later ones take fewer in proportion, "
        "never more than their own.",
        1, 200, group="sampler",
    ),
    Param(
        "sampler", "choice", "pack", "block",
        "How the steps are taken; pack: as each of its stages has it.",
        choices=("pack", "ddim", "euler", "heun", "dpmpp_2m", "ancestral", "ddpm", "ping_pong"),
        group="sampler",
    ),
    Param(
        "temperature", "float", 1.0, "block",
        "Scale of the noise a block starts from: lower is calmer.", 0.5, 1.5,
        group="sampler",
    ),
    Param(
        "guidance", "float", 1.0, "block",
        "How strictly a block follows its past or, where a pack has them, its controls: 1 as "
        "trained, more is stricter.", 0.0, 4.0, group="continuation",
    ),
    Param(
        "stride", "float", 1.0, "block",
        "How much of a block is kept before the next is made.", 0.125, 1.0, "block",
        group="continuation",
    ),
    Param("seed", "int", 1, "block", "Same seed, same music.", 0, 2**31 - 1,
          group="continuation"),
    Param(
        "lock_seed", "bool", False, "live", "Presets, A/B, undo and redo leave the seed alone.",
        group="continuation", in_presets=False,
    ),
    *(
        Param(
            name, "float", 0.0, "block", f"How much {pitch} is wanted; all 12 at 0: free harmony.",
            packs=True, group="harmony",
        )
        for name, pitch in zip(HARMONY, PITCH_CLASSES, strict=True)
    ),
    Param(
        "register", "float", FREE, "block", "Where on the keyboard, as a mean MIDI pitch.",
        36.0, 84.0, free=True, packs=True, group="harmony",
    ),
    Param(
        "density", "float", FREE, "block", "Notes struck in a second.", 0.5, 20.0, "notes/s",
        free=True, packs=True, group="harmony",
    ),
    Param(
        "loudness", "float", FREE, "block", "How hard keys are struck, as a mean velocity.",
        20.0, 110.0, free=True, packs=True, group="sound",
    ),
    Param(
        "style", "choice", FREE, "block", "What kind of music.",
        choices=(FREE, "classical", "pop"), packs=True, group="harmony",
    ),
    Param(
        "instrument", "float", 0.0, "block", "From the grand (0) to the upright (1).", packs=True,
        group="sound",
    ),
    Param("room", "float", 0.3, "block", "From a dry, small room to a large one.", packs=True,
          group="sound"),
    Param(
        "brightness", "float", 0.0, "block", "Tilt of the tone.", -1.0, 1.0, packs=True,
        group="sound",
    ),
    Param(
        "tempo", "float", 120.0, "live",
        "Beats a minute, that actions wait for; the music is not made to a beat.", 20.0, 300.0,
        "BPM", group="tempo", in_presets=False,
    ),
    Param("beats", "int", 4, "live", "Beats in a bar.", 1, 16, group="tempo", in_presets=False),
    Param(
        "quantise", "choice", "off", "live",
        "What recalls, new pieces and recordings wait for; panic and stop never wait.",
        choices=("off", "beat", "bar"), group="tempo", in_presets=False,
    ),
    Param(
        "tempo_source", "choice", "own", "live",
        "Whose beat it is: its own, a MIDI clock's, or an Ableton Link session's.",
        choices=("own", "midi", "link"), group="tempo", in_presets=False,
    ),
)  # fmt: skip


_BY_NAME = {p.name: p for p in PARAMS}

# Seconds of lead and block together: with the output's own latency, block controls are heard within
# 3 s and 1 s.
LATENCIES = {"default": 2.9, "jam": 0.9}


def _empty() -> Mapping[str, Value]:
    return MappingProxyType({})


@dataclass(frozen=True, repr=False)
class Settings:
    """An immutable set of values, one for each control; safe to hand across threads.

    Its representation shows only those that are not at their defaults.
    """

    values: Mapping[str, Value] = field(default_factory=_empty)

    @classmethod
    def defaults(cls, **changes: Value) -> Settings:
        """Every control at its default, but for `changes`."""
        values = {p.name: p.default for p in PARAMS}
        return cls(MappingProxyType(values)).changed(**changes)

    def changed(self, **changes: object) -> Settings:
        """A copy with `changes` clipped into range.

        Raises
        ------
        ConfigError
            For a name that is no control, or a value of the wrong kind.
        """
        new = dict(self.values)
        for name, value in changes.items():
            new[name] = param(name).clip(value)
        return Settings(MappingProxyType(new))

    def __getitem__(self, name: str) -> Value:
        return self.values[param(name).name]

    def __repr__(self) -> str:
        turned = [f"{n}={v!r}" for n, v in self.values.items() if v != param(n).default]
        return f"Settings({', '.join(turned)})"

    def number(self, name: str) -> float:
        """The value of a numeric control."""
        return float(self.values[name])


def param(name: str) -> Param:
    """Find a control by name.

    Raises
    ------
    ConfigError
        When there is none, with the names nearest to it, or all of them.
    """
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    from difflib import get_close_matches

    name = name[:100]
    near = get_close_matches(name, list(_BY_NAME))
    names = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(_BY_NAME)}"
    raise ConfigError(f"{name!r} is no control; {names}")
