"""The first place at which the settings of two runs differ, as words for a message."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from rote.errors import shorten

_LIMIT, _LEAD = 80, 20
"""Characters of a value that are shown, and how many of those stand before the first that differs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that two runs have otherwise: its name with dots, and both values, fit to be shown."""

    name: str
    old: str
    new: str


def find_difference(old: Any, new: Any, name: str = "") -> Difference | None:
    """Where two nested settings differ first; None where they nowhere do. What one lacks is None there."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            difference = find_difference(old.get(key), new.get(key), f"{name}.{key}".lstrip("."))
            if difference:
                return difference
        return None
    if old == new:
        return None
    shown = name if name.isprintable() and len(name) <= _LIMIT else shorten(name, _LIMIT)
    return Difference(shown, _show(old, new), _show(new, old))


def _show(value: Any, other: Any) -> str:
    """A value in one short line; of a long one the part where it departs from the other."""
    text = repr(value)
    if len(text) <= _LIMIT:
        return text
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(text, repr(other), strict=False))
    start = max(0, sum(1 for _ in alike) - _LEAD)
    part = text[start : start + _LIMIT]
    return f"{'...' * (start > 0)}{part}{'...' * (start + _LIMIT < len(text))}"
