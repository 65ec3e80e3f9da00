"""`FactTable`: the facts of a run, in order, with the seed that made them and a hash of what they say."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rote.errors import TableError
from rote.facts.fact import Fact


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
