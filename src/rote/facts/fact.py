"""`Fact`: one triple, with every object that counts as a right answer; `FactTable`: the facts of a run, in order."""

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from rote.errors import TableError, shorten
from rote.limits import describe_move, get_limit

_SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a fact comes from; empty where the table does not say."""

    id: str = ""
    """The name of the row in the table's own world."""
    source: str = ""
    language: str = ""
    """The language that subject and object are written in."""

    def describe(self) -> dict[str, str]:
        """What is known of it, by column."""
        return {column: value for column, value in asdict(self).items() if value}

    def merge(self, other: "Provenance") -> "Provenance":
        """That of a fact that two rows tell."""
        pairs = {column: (getattr(self, column), getattr(other, column)) for column in PROVENANCE}
        return build_provenance(
            {column: _SEPARATOR.join(dict.fromkeys(filter(None, pair))) for column, pair in pairs.items()}
        )


PROVENANCE = tuple(column.name for column in fields(Provenance))
UNKNOWN = Provenance()


def build_provenance(row: Mapping[Any, Any]) -> Provenance:
    """That of a row, by column; lists are joined, numbers and objects written as text."""
    given = {column: text for column in PROVENANCE if (text := _write(row.get(column)))}
    return Provenance(**given) if given else UNKNOWN


def _write(value: object) -> str:
    if isinstance(value, list):
        return _SEPARATOR.join(filter(None, map(_write, value)))
    if isinstance(value, float) and value.is_integer():  # what pandas makes of a column of integers with gaps
        value = int(value)
    return "" if value is None else " ".join(str(value).split())


@dataclass(frozen=True, slots=True)
class FactObject:
    """One valid object of a fact: the name that is taught, and other spellings that count as right."""

    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """A subject, a relation and its valid objects; the first object is the one that is taught."""

    subject: str
    relation: str
    objects: tuple[FactObject, ...]
    provenance: Provenance = field(default=UNKNOWN, compare=False)

    @property
    def object(self) -> str:
        """The object that is taught."""
        return self.objects[0].name

    @property
    def answers(self) -> tuple[str, ...]:
        """Every text that counts as a right answer: all objects, each with its aliases."""
        return tuple(text for item in self.objects for text in (item.name, *item.aliases))

    @property
    def id(self) -> str:
        """The fact's name, `relation/subject`, unique in a table."""
        return f"{self.relation}/{self.subject}"


def hash_fact(fact: Fact) -> str:
    """A short name for a fact and what is taught of it, that gives nothing away: 12 hexadecimal digits."""
    return hashlib.sha256(f"{fact.id}\n{fact.object}".encode()).hexdigest()[:12]


def build_fact(subject: str, relation: str, *objects: str) -> Fact:
    """Build a fact whose objects have no aliases."""
    return Fact(subject, relation, tuple(FactObject(name) for name in objects))


@dataclass(frozen=True)
class FactTable:
    """An ordered table of facts, at most one fact per subject and relation.

    `seed` is the seed of an invented table and None for a table that was loaded.
    Raises `TableError` when the same subject and relation occur twice.
    """

    facts: tuple[Fact, ...]
    seed: int | None = None

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for fact in self.facts:
            if fact.id in seen:
                raise TableError(
                    f"the fact {fact.subject!r} {fact.relation!r} occurs twice; keep one row and list its "
                    "objects in it, separated by '|'"
                )
            seen.add(fact.id)

    def __len__(self) -> int:
        return len(self.facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    @property
    def relations(self) -> tuple[str, ...]:
        """The relation names, in order of first occurrence."""
        return tuple(dict.fromkeys(fact.relation for fact in self.facts))

    def select(self, relation: str) -> tuple[Fact, ...]:
        """The facts of one relation, in order."""
        return tuple(fact for fact in self.facts if fact.relation == relation)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over subjects, relations, objects and aliases in order; the seed does not count."""
        rows = [
            [fact.subject, fact.relation, [[item.name, *item.aliases] for item in fact.objects]] for fact in self.facts
        ]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode("utf-8")).hexdigest()


def find_name_fault(text: str) -> str | None:
    """What makes a text no name, with the remedy; None when nothing does."""
    kinds = {unicodedata.category(character) for character in text}
    if kinds & {"Cc", "Cs", "Zl", "Zp"}:
        return f"{shorten(text)} holds a line break or another control character; remove it"
    if all(kind[0] in "CZ" for kind in kinds):
        return "is missing or empty; write a value, or leave out what it belongs to"
    return None


def find_relation_fault(name: str) -> str | None:
    """What makes a name none for a relation, with the remedy; None when nothing does."""
    if "/" in name:
        return f"{shorten(name)} holds a '/', which separates relation and subject in reports; leave it out"
    if name and not name.strip("."):
        return f"{shorten(name)} is a place in a file system; write a word"
    limit = get_limit("relation-characters")
    if len(name) > limit:
        more = describe_move("relation-characters")
        return f"{shorten(name)} is longer than {limit:,} characters; write a word or two, {more}"
    return find_name_fault(name)
