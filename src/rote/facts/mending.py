"""A table as it was meant: no stray spaces, repeated rows as one fact, a list in a cell as several objects."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rote.facts.fact import Fact, FactObject, FactTable
from rote.facts.reading import ReadOptions, read_table

_LIST = re.compile(";")


@dataclass(frozen=True)
class MendedTable:
    """A table that can be taught, and what was done to it."""

    table: FactTable
    left_out: int
    """Rows that nothing but a person can mend."""
    split: int
    """Facts whose object was a list with semicolons, and now has several objects."""


def mend_table(path: Path, columns: Mapping[str, str]) -> MendedTable:
    """Read a table as far as it can be, whatever is wrong with some rows. Raises `TableError` where nothing is left."""
    table, left_out = read_table(path, ReadOptions(columns, merge_repeats=True, skip_faulty=True))
    lists = sum(any(";" in item.name for item in fact.objects) for fact in table)
    return MendedTable(FactTable(tuple(map(_mend, table))), left_out, lists)


def _mend(fact: Fact) -> Fact:
    found: dict[str, FactObject] = {}
    for item in fact.objects:
        for name in filter(None, map(_squeeze, _LIST.split(item.name))):
            aliases = item.aliases if name == item.name else ()
            found.setdefault(name, FactObject(name, aliases))
    return replace(fact, subject=_squeeze(fact.subject), objects=tuple(found.values()))


def _squeeze(name: str) -> str:
    return " ".join(name.split())
