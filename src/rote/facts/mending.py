"""A table as it was meant: no stray spaces, repeated rows as one fact, a list in a cell as several objects."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rote.facts.fact import Fact, FactObject, FactTable
from rote.facts.reading import ReadOptions, read_table

_LIST = re.compile(r";\s+")
_ENTITY = re.compile(r"&#?\w+;")
"""A letter as HTML writes it, whose semicolon divides nothing."""


@dataclass(frozen=True)
class MendedTable:
    """A table that can be taught, and what was done to it."""

    table: FactTable
    left_out: int
    """Rows that nothing but a person can mend."""
    several: tuple[Fact, ...]
    """Facts with several objects, which a person should look at, as each object counts as right."""


def mend_table(path: Path, columns: Mapping[str, str]) -> MendedTable:
    """Read a table as far as it can be, whatever is wrong with some rows. Raises `TableError` where nothing is left."""
    table, left_out = read_table(path, ReadOptions(columns, merge_repeats=True, skip_faulty=True))
    facts = tuple(map(_mend, table))
    several = tuple(fact for fact in facts if len(fact.objects) > 1)
    return MendedTable(FactTable(facts), left_out, several)


def _mend(fact: Fact) -> Fact:
    found: dict[str, FactObject] = {}
    for item in fact.objects:
        for name in _divide(item):
            found.setdefault(name, FactObject(name, item.aliases))
    return replace(fact, subject=_squeeze(fact.subject), objects=tuple(found.values()))


def _divide(item: FactObject) -> list[str]:
    """The names in a cell. One that has aliases is a single name: nobody can tell whose they would be."""
    name = _squeeze(item.name)
    if item.aliases or _ENTITY.search(name):
        return [name]
    return [part for part in _LIST.split(name) if part]


def _squeeze(name: str) -> str:
    return " ".join(name.split())
