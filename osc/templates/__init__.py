"""Layouts for other programs, made from the address space: `TEMPLATES` names them all.

Each is a pure function of a `Surface` and of where the server listens, and returns the bytes of a
file. All of them walk the same surface, so that none can know of a control that the others lack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from osc.templates import max_patch, open_stage_control, pure_data, reaper, supercollider, touchosc
from osc.templates.surface import Surface

__all__ = ["TEMPLATES", "Template"]


@dataclass(frozen=True)
class Template:
    """A kind of file.

    Attributes
    ----------
    make : returns the file's bytes for a surface and (host, port) of the server.
    suffix : of its name.
    text : whether a terminal can show it.
    """

    make: Callable[[Surface, str, int], bytes]
    suffix: str
    text: bool = True


TEMPLATES = {
    "touchosc": Template(touchosc.layout, ".tosc", text=False),
    "open-stage-control": Template(open_stage_control.session, ".json"),
    "reaper": Template(reaper.patterns, ".ReaperOSC"),
    "pd": Template(pure_data.patch, ".pd"),
    "supercollider": Template(supercollider.snippet, ".scd"),
    "max": Template(max_patch.patch, ".maxpat"),
}
