"""`Fact`: one triple, with every object that counts as a right answer."""

import hashlib
from dataclasses import dataclass, field

from rote.facts.provenance import UNKNOWN, Provenance


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
