"""OSC 1.0 address patterns: `?`, `*`, `[a-z]`, `[!x]`, `{one,two}`, none of which crosses a `/`.

A pattern is read into tokens once and matched by walking all the places where it can stand at the
same time: no backtracking, so no pattern is slow. Its length and its parts are bounded. Pure
functions, any thread.
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
        When it is no pattern: too long, or with brackets that do not close.
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
        raise ConfigError(f"pattern of {len(pattern)} characters: give {LONGEST} at most")
    tokens: list[_Token] = []
    i = 0
    while i < len(pattern):
        c = pattern[i]
        if c in "[{":
            close = pattern.find("]" if c == "[" else "}", i + 1)
            if close < 0:
                raise ConfigError(f"pattern {pattern!r}: {c!r} does not close")
            inside = pattern[i + 1 : close]
            tokens.append(_set(inside) if c == "[" else _words(pattern, inside))
            i = close
        elif c in "]}":
            raise ConfigError(f"pattern {pattern!r}: {c!r} closes nothing")
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
        else:  # a minus at the end is itself
            found.add(body[i])
            i += 1
    return _OneOf(frozenset(found), but)


def _words(pattern: str, inside: str) -> _Words:
    words = tuple(inside.split(","))
    if len(words) > _MOST_WORDS:
        raise ConfigError(f"pattern {pattern[:40]!r}...: {_MOST_WORDS} words at most in braces")
    return _Words(words)


def _fits(tokens: tuple[_Token, ...], address: str) -> bool:
    """Whether the end of `address` is among the places that the tokens lead to."""
    places = {0}
    for token in tokens:
        there: set[int] = set()
        if isinstance(token, _Star):
            for place in sorted(places):
                if place not in there:
                    slash = address.find("/", place)
                    there.update(range(place, (len(address) if slash < 0 else slash) + 1))
        elif isinstance(token, _OneOf):
            for place in places:
                c = address[place : place + 1]
                if c and c != "/" and (c in token.characters) != token.but:
                    there.add(place + 1)
        else:
            for word in token.words:
                there.update(p + len(word) for p in places if address.startswith(word, p))
        if not there:
            return False
        places = there
    return len(address) in places
