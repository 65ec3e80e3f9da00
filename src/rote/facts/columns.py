"""The columns of a table of facts, and how a file calls them."""

import difflib
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from rote.errors import shorten
from rote.facts.fact import PROVENANCE
from rote.facts.files import Finding, Place

COLUMNS = ("subject", "relation", "object")
OBJECTS = "objects"
ALIASES = "aliases"
KNOWN = (*COLUMNS, OBJECTS, ALIASES, *PROVENANCE)
_LONGEST = 60
"""Characters of a column's name that a person would copy into a command."""


@dataclass
class ColumnNames:
    """How the columns of one file are called: `mapped` holds the file's name for some of ours."""

    mapped: Mapping[str, str] = field(default_factory=dict)
    _ignored: set[str] = field(default_factory=set)

    def translate(self, name: str) -> str | None:
        """Our name for a column of the file, where it is one of ours."""
        for ours, theirs in self.mapped.items():
            if name == theirs:
                return ours
        lowered = name.strip().lower()
        return lowered if lowered in KNOWN and lowered not in self.mapped else None

    def ignore(self, place: Place, name: str, present: Collection[str | None]) -> Iterator[Finding]:
        """A warning, once, about a column that is not read.

        Raises `TableError` for one that looks like another one misspelt which is not `present`.
        """
        taken = {*present, *((OBJECTS, "object") if {OBJECTS, "object"} & {*present} else ())}
        absent = [column for column in (*COLUMNS, OBJECTS, ALIASES) if column not in taken]
        close = _guess(name.lower(), tuple(absent))
        if close and name.lower() not in KNOWN:
            raise place.error(f"the column {shorten(name)} is unknown; did you mean {close!r}? {_advise(name, close)}")
        if name not in self._ignored:
            self._ignored.add(name)
            used = ", ".join(self.mapped.get(column, column) for column in KNOWN)
            yield Finding(place.describe(f"the column {shorten(name)} is not read (read are {used})"), is_error=False)


def _advise(name: str, column: str) -> str:
    """What to do about a column: a name that nobody can type, or would, is only to be changed."""
    typed = name.isprintable() and len(name) <= _LONGEST
    return f"Rename it, or say --column {column}={shlex.quote(name)}" if typed else "Rename it"


@lru_cache(maxsize=4096)
def _guess(name: str, absent: tuple[str, ...]) -> str | None:
    """Which column may be meant; asked of every row of a file of records."""
    return next(iter(difflib.get_close_matches(name, absent, n=1, cutoff=0.7)), None)


def check_columns(place: Place, translated: Mapping[str, str | None]) -> None:
    """Raise `TableError` where two names stand for one column, of which the last would win."""
    ours = [column for column in translated.values() if column]
    twice = next((column for column in ours if ours.count(column) > 1), None)
    if twice:
        same = " and ".join(shorten(key) for key, column in translated.items() if column == twice)
        raise place.error(f"{same} are the same column, {twice!r}; keep one of them")
