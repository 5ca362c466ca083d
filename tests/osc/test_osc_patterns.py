"""Address patterns as OSC 1.0 has them, and none of them slow."""

from __future__ import annotations

import fnmatch
import time

import pytest
from control_tables import SHIPPED_SPACE
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from osc.patterns import LONGEST, is_pattern, matches, matching

PATHS = [a.path for a in SHIPPED_SPACE.addresses]


@pytest.mark.parametrize(("pattern", "address", "fits"), [
    ("/gain", "/gain", True), ("/gain", "/gai", False), ("/gain", "/gains", False),
    ("/g?in", "/gain", True), ("/gain?", "/gain", False),
    ("/*", "/gain", True), ("/*", "/pack/harmony/c", False), ("/*/*/*", "/pack/harmony/c", True),
    ("/*", "/", True), ("/*a*n", "/gain", True), ("/s*s", "/steps", True), ("**", "a", True),
    ("/[gs]*", "/seed", True), ("/[!gs]*", "/seed", False), ("/[a-g]ain", "/gain", True),
    ("/[g-a]ain", "/gain", True), ("/x[a-]", "/x-", True), ("/x[!/]", "/x/", False),
    ("/{gain,seed}", "/seed", True), ("/{gain,seed}", "/steps", False), ("/a{,b}c", "/ac", True),
    ("/{st,s}{eed,eps}", "/steps", True), ("/pack/harmony/*_sharp", "/pack/harmony/c_sharp", True),
    ("/?ain", "//ain", False), ("", "", True), ("/[]x", "/x", False), ("/[!]x", "/ax", True),
])  # fmt: skip
def test_patterns(pattern, address, fits):
    assert matches(pattern, address) is fits


@pytest.mark.parametrize("pattern", ["/[ab", "/{a,b", "/a]", "/a}", "/" + "a" * LONGEST,
                                     "/{" + "a," * 40 + "}"])  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(ConfigError, match="pattern"):
        matches(pattern, "/a")


def test_a_pattern_gives_the_addresses_in_their_order():
    assert matching("/pack/harmony/[cd]*", PATHS) == [
        "/pack/harmony/c", "/pack/harmony/c_sharp", "/pack/harmony/d", "/pack/harmony/d_sharp",
    ]  # fmt: skip
    assert matching("/nothing*", PATHS) == []
    assert is_pattern("/a*")
    assert not is_pattern("/pack/harmony/c_sharp")


@pytest.mark.parametrize("pattern", [
    "/" + "*a" * 127, "/" + "*?" * 127, "/" + "{a,aa,aaa,}" * 22, "/" + "*" * 255,
    "/" + "{" + ",".join("a" * n for n in range(20)) + "}*" + "{a,}" * 10,
])  # fmt: skip
def test_no_pattern_is_slow(pattern):
    began = time.perf_counter()
    for _ in range(5):
        matching(pattern, ["/" + "a" * 64 + "b"] * len(PATHS))
    assert time.perf_counter() - began < 2.0


@given(st.text(alphabet="ab*?", max_size=12), st.text(alphabet="ab", max_size=12))
def test_stars_and_question_marks_are_those_of_file_names(pattern, name):
    assert matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_a_pattern_or_one_line(pattern, name):
    refused = ""
    try:
        matches(pattern, name)
    except ConfigError as error:
        refused = str(error)
    assert "\n" not in refused
