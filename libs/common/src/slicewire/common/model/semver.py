"""Semantic versions as Kubernetes compares them: strict 2.0.0, build metadata without weight."""

from __future__ import annotations

import re
from functools import total_ordering

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRERELEASE = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_GRAMMAR = re.compile(
    rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<pre>{_PRERELEASE}(?:\.{_PRERELEASE})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_LOOSE = re.compile(r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?([-+].*)?")
_LARGEST = 2**64 - 1

_PreKey = tuple[int, tuple[tuple[int, int, str], ...]]


class BadSemver(ValueError):
    """The text is not a semantic version."""


@total_ordering
class Semver:
    """`MAJOR.MINOR.PATCH[-pre][+build]`; build metadata takes no part in comparison."""

    __slots__ = ("_key", "text")

    text: str
    _key: tuple[int, int, int, _PreKey]

    def __init__(self, text: str) -> None:
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise BadSemver(f"{text!r} is not a semantic version MAJOR.MINOR.PATCH")
        self.text = text
        self._key = (
            _number(match["major"]),
            _number(match["minor"]),
            _number(match["patch"]),
            _precedence(match["pre"]),
        )

    @classmethod
    def normalized(cls, text: str) -> Semver:
        """`v1` → `1.0.0`, `570.01` → `570.1.0`: leading `v` and zeros dropped, missing parts 0."""
        match = _LOOSE.fullmatch(text)
        if match is None:
            raise BadSemver(f"{text!r} does not begin like a version")
        numbers = ".".join((part or "").lstrip("0") or "0" for part in match.groups()[:3])
        return cls(numbers + (match[4] or ""))

    @property
    def major(self) -> int:
        return self._key[0]

    @property
    def minor(self) -> int:
        return self._key[1]

    @property
    def patch(self) -> int:
        return self._key[2]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self._key == other._key

    def __lt__(self, other: Semver) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Semver({self.text!r})"


def _number(digits: str) -> int:
    if len(digits) > len(str(_LARGEST)) or int(digits) > _LARGEST:
        raise BadSemver(f"{digits[:40]} in a semantic version is above {_LARGEST}")
    return int(digits)


def _precedence(prerelease: str | None) -> _PreKey:
    """Semver 2.0.0 section 11: none beats any; numbers below words; fewer fields below more."""
    if prerelease is None:
        return (1, ())
    return (0, tuple((0, _number(p), "") if p.isdigit() else (1, 0, p) for p in prerelease.split(".")))
