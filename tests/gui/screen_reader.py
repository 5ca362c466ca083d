"""Reads a program's window over AT-SPI, as a screen reader does: one JSON line for each part.

Run as a program, in the D-Bus session of the window: `python screen_reader.py`.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

LABELLED_BY = 2  # ATSPI_RELATION_LABELLED_BY
_DEEPEST, _WIDEST = 25, 300
_READ = ("spin button", "dial", "slider", "combo box", "push button", "toggle button", "check box",
         "text")  # fmt: skip


class _Array(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("len", ctypes.c_uint)]


def library() -> ctypes.CDLL | None:
    """libatspi, where it is installed."""
    try:
        return ctypes.CDLL("libatspi.so.0")
    except OSError:
        return None


class Reader:
    """Walks the tree of accessible parts."""

    def __init__(self, atspi: ctypes.CDLL) -> None:
        self._atspi = atspi
        self._call("init", ctypes.c_int)

    def _call(self, name: str, result: Any, *arguments: object) -> Any:
        function = self._atspi[f"atspi_{name}"]
        function.restype = result
        return function(*arguments)

    def _text_of(self, name: str, part: ctypes.c_void_p) -> str:
        return (self._call(name, ctypes.c_char_p, part, None) or b"").decode()

    def programs(self, seconds: float = 10.0) -> Iterator[ctypes.c_void_p]:
        """The programs that have a window, as soon as there is one."""
        deadline = time.monotonic() + seconds
        desktop = ctypes.c_void_p(self._call("get_desktop", ctypes.c_void_p, 0))
        while time.monotonic() < deadline:
            if count := self._call("accessible_get_child_count", ctypes.c_int, desktop, None):
                yield from (self._child(desktop, i) for i in range(count))
                return
            time.sleep(0.1)

    def _child(self, part: ctypes.c_void_p, i: int) -> ctypes.c_void_p:
        child = self._call("accessible_get_child_at_index", ctypes.c_void_p, part, i, None)
        return ctypes.c_void_p(child)

    def walk(self, part: ctypes.c_void_p, depth: int = 0) -> Iterator[dict[str, object]]:
        """Describe each part below one."""
        role = self._text_of("accessible_get_role_name", part)
        if role in _READ:
            yield self._described(part, role)
        count = self._call("accessible_get_child_count", ctypes.c_int, part, None)
        if depth < _DEEPEST and role not in ("table", "tree", "menu"):
            for i in range(min(count, _WIDEST)):
                child = self._child(part, i)
                if child.value:
                    yield from self.walk(child, depth + 1)

    def _described(self, part: ctypes.c_void_p, role: str) -> dict[str, object]:
        found: dict[str, object] = {
            "role": role, "name": self._text_of("accessible_get_name", part),
            "label": self._label(part),
        }  # fmt: skip
        value = ctypes.c_void_p(
            self._call("accessible_get_value_iface", ctypes.c_void_p, part, None)
        )
        if value.value:
            found["value"], found["low"], found["high"] = (
                self._call(f"value_get_{which}_value", ctypes.c_double, value, None)
                for which in ("current", "minimum", "maximum")
            )
        text = ctypes.c_void_p(self._call("accessible_get_text_iface", ctypes.c_void_p, part, None))
        if text.value:
            length = self._call("text_get_character_count", ctypes.c_int, text, None)
            written = self._call("text_get_text", ctypes.c_char_p, text, 0, length, None)
            found["text"] = (written or b"").decode()
        return found

    def _label(self, part: ctypes.c_void_p) -> str:
        """The name of what labels it; a screen reader says it before the part's own."""
        found = self._call("accessible_get_relation_set", ctypes.c_void_p, part, None)
        if not found:
            return ""
        array = _Array.from_address(found)
        relations = (ctypes.c_void_p * array.len).from_address(array.data) if array.len else ()
        for relation in relations:
            pointer = ctypes.c_void_p(relation)
            if self._call("relation_get_relation_type", ctypes.c_int, pointer) == LABELLED_BY:
                target = self._call("relation_get_target", ctypes.c_void_p, pointer, 0)
                return self._text_of("accessible_get_name", ctypes.c_void_p(target))
        return ""


if __name__ == "__main__":
    atspi = library()
    if atspi is None:
        sys.exit("no libatspi")
    reader = Reader(atspi)
    for program in reader.programs():
        for found in reader.walk(program):
            print(json.dumps(found), flush=True)
