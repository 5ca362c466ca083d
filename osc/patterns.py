"""OSC 1.0 address patterns: `?`, `*`, `[a-z]`, `[!x]`, `{one,two}`, none of which crosses a `/`.

A pattern is parsed into tokens once. Matching tracks all possible positions at the same time, as
the bits of a number, so there is no backtracking and no pattern is slow. Length and parts are
bounded. Pure functions, any thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from engine.errors import ConfigError

__all__ = ["LONGEST", "is_pattern", "matches", "matching"]

LONGEST = 256  # characters of a pattern
_MOST_WORDS = 32  # in one pair of braces
_SPECIAL = frozenset("?*[]{}")


@dataclass(frozen=True)
class _Star:
    """Any characters, or none."""


@dataclass(frozen=True)
class _OneOf:
    """One character: of `characters`, or with `but` any other one."""

    characters: frozenset[str]
    but: bool = False


@dataclass(frozen=True)
class _Words:
    """One of these words; a single character is a word of its own."""

    words: tuple[str, ...]


_Token = _Star | _OneOf | _Words
_ANY = _OneOf(frozenset(), but=True)


def is_pattern(address: str) -> bool:
    """Whether an address has any of a pattern's characters."""
    return not _SPECIAL.isdisjoint(address)


def matches(pattern: str, address: str) -> bool:
    """Whether the pattern fits the whole address.

    Raises
    ------
    ConfigError
        The pattern is too long, or a bracket is not closed.
    """
    return _fits(_read(pattern), address)


def matching(pattern: str, addresses: Iterable[str]) -> list[str]:
    """The addresses that the pattern fits, in their order.

    Raises
    ------
    ConfigError
        As `matches`.
    """
    tokens = _read(pattern)
    return [a for a in addresses if _fits(tokens, a)]


@lru_cache(maxsize=256)
def _read(pattern: str) -> tuple[_Token, ...]:
    if len(pattern) > LONGEST:
        raise ConfigError(f"pattern of {len(pattern)} characters; use {LONGEST} at most")
    tokens: list[_Token] = []
    i = 0
    while i < len(pattern):
        c = pattern[i]
        if c in "[{":
            close = pattern.find("]" if c == "[" else "}", i + 1)
            if close < 0:
                raise ConfigError(f"pattern {pattern!r}: {c!r} is not closed")
            inside = pattern[i + 1 : close]
            tokens.append(_set(inside) if c == "[" else _words(pattern, inside))
            i = close
        elif c in "]}":
            raise ConfigError(f"pattern {pattern!r}: {c!r} has no opening bracket")
        elif c == "*":
            if not tokens or not isinstance(tokens[-1], _Star):
                tokens.append(_Star())
        else:
            tokens.append(_ANY if c == "?" else _Words((c,)))
        i += 1
    return tuple(tokens)


def _set(inside: str) -> _OneOf:
    but, i = inside.startswith("!"), 0
    body = inside[1:] if but else inside
    found: set[str] = set()
    while i < len(body):
        if i + 2 < len(body) and body[i + 1] == "-":
            low, high = sorted((ord(body[i]), min(ord(body[i + 2]), 127)))
            found.update(map(chr, range(low, min(high, 127) + 1)))
            i += 3
        else:  # a minus at the end stands for itself
            found.add(body[i])
            i += 1
    return _OneOf(frozenset(found), but)


def _words(pattern: str, inside: str) -> _Words:
    words = tuple(inside.split(","))
    if len(words) > _MOST_WORDS:
        raise ConfigError(f"pattern {pattern[:40]!r}...: {_MOST_WORDS} words in braces at most")
    return _Words(words)


@dataclass(frozen=True)
class _Bits:
    """An address as bits: bit i of `at[c]` says that character i is a c, of `free` that it is no /.

    A place before character i is bit i, the place after the last one is the bit `end`.
    """

    at: dict[str, int]
    free: int
    end: int


@lru_cache(maxsize=512)
def _bits(address: str) -> _Bits:
    at: dict[str, int] = {}
    for i, c in enumerate(address):
        at[c] = at.get(c, 0) | 1 << i
    every = (1 << len(address)) - 1
    return _Bits(at, every & ~at.get("/", 0), 1 << len(address))


def _fits(tokens: tuple[_Token, ...], address: str) -> bool:
    """Whether the tokens can match up to the end of `address`."""
    bits, places = _bits(address), 1
    for token in tokens:
        if isinstance(token, _Star):
            # Adding carries each place on to the next /: MatchStar of Cameron et al. 2014.
            places |= ((places & bits.free) + bits.free) ^ bits.free
        elif isinstance(token, _OneOf):
            of = 0
            for c in token.characters if len(token.characters) < len(bits.at) else bits.at:
                if c in token.characters:
                    of |= bits.at.get(c, 0)
            places = (places & bits.free & (~of if token.but else of)) << 1
        else:
            places = _after(places, token.words, bits)
        if not places:
            return False
    return places & bits.end != 0


def _after(places: int, words: tuple[str, ...], bits: _Bits) -> int:
    """The places after one of the words."""
    there = 0
    for word in words:
        left = places
        for c in word:
            left = (left & bits.at.get(c, 0)) << 1
            if not left:
                break
        there |= left
    return there
