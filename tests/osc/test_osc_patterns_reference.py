"""Patterns against another way to match them: the same pattern as a regular expression."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from osc.patterns import matches

sets = st.builds("[{}{}]".format, st.sampled_from(["", "!"]), st.text("ab", min_size=1, max_size=3))
words = st.lists(st.text("ab/", max_size=3), min_size=1, max_size=4).map(
    lambda found: "{" + ",".join(found) + "}"
)
parts = st.one_of(st.sampled_from(list("ab/*?")), sets, words)


def as_regular_expression(pattern: str) -> str:
    def one(found: re.Match[str]) -> str:
        part = found[0]
        if part[0] == "[":
            return f"[^/{part[2:-1]}]" if part[1] == "!" else part
        if part[0] == "{":
            return "(?:" + part[1:-1].replace(",", "|") + ")"
        return {"*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))

    return re.sub(r"\[[^\]]*\]|\{[^}]*\}|.", one, pattern)


@given(st.lists(parts, max_size=8).map("".join), st.text("ab/", max_size=10))
@example("/*{,a}*{b,}", "/abab")
@example("*", "")
@example("{a/b,a}/b", "a/b/b")
@example("[!b]*a", "/a")
def test_both_ways_agree(pattern, address):
    wanted = re.fullmatch(as_regular_expression(pattern), address) is not None
    assert matches(pattern, address) == wanted
