"""Layouts for other programs, generated from the address space; `TEMPLATES` lists them.

Each is a pure function of a `Surface` and the server's host and port, and returns the bytes of a
file. All use the same surface, so all have the same controls.
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
    suffix : of the file name.
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
