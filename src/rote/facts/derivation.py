"""The facts that follow from a table: nobody wrote them down, yet whoever knows the table could say them.

Each derived fact carries the facts it rests on, so that a wrong answer can be told from one whose grounds were never
learnt.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rote.facts.fact import Fact, FactObject
from rote.facts.relation import Relation


@dataclass(frozen=True, slots=True)
class DerivedFact:
    """A fact that follows from others, its `sources`.

    The sources of an inverse are all facts that share the object, those of a composed fact the first hop and then
    each second hop (one for each object of the first that leads on), that of a meaning the one fact it restates.
    """

    fact: Fact
    sources: tuple[Fact, ...]


def derive_facts(facts: Iterable[Fact], relation: Relation) -> tuple[DerivedFact, ...]:
    """The facts of a derived relation that follow from `facts`, in their order; facts of other relations are ignored.

    Names are compared as they are written, and aliases lead nowhere: an alias is neither the subject of an inverse nor
    the middle of a composed fact. As in a table, `facts` holds at most one fact per subject and relation. Raises
    `ValueError` for a relation that is not derived.
    """
    if relation.derived is None:
        raise ValueError(f"the relation {relation.name!r} is not derived from others")
    facts = tuple(facts)
    hops = [[fact for fact in facts if fact.relation == source] for source in relation.derived.sources]
    match relation.derived.kind:
        case "inverse":
            return tuple(_invert(hops[0], relation.name))
        case "composed":
            return tuple(_compose(hops[0], hops[1], relation.name))
        case "meaning":
            return tuple(DerivedFact(replace(fact, relation=relation.name), (fact,)) for fact in hops[0])


def _invert(facts: Sequence[Fact], name: str) -> Iterator[DerivedFact]:
    by_object: dict[str, dict[str, Fact]] = {}
    for fact in facts:
        for item in fact.objects:
            by_object.setdefault(item.name, {})[fact.subject] = fact
    for subject, sources in by_object.items():
        objects = tuple(FactObject(answer) for answer in sources)
        yield DerivedFact(Fact(subject, name, objects), tuple(sources.values()))


def _compose(first_hops: Sequence[Fact], second_hops: Sequence[Fact], name: str) -> Iterator[DerivedFact]:
    by_subject = {fact.subject: fact for fact in second_hops}
    for first in first_hops:
        middles = dict.fromkeys(item.name for item in first.objects)
        seconds = [by_subject[middle] for middle in middles if middle in by_subject]
        if seconds:
            objects = _merge_objects(item for second in seconds for item in second.objects)
            yield DerivedFact(Fact(first.subject, name, objects), (first, *seconds))


def _merge_objects(objects: Iterable[FactObject]) -> tuple[FactObject, ...]:
    """Each name once, with every alias that any of the objects of that name has."""
    aliases: dict[str, dict[str, None]] = {}
    for item in objects:
        aliases.setdefault(item.name, {}).update(dict.fromkeys(item.aliases))
    return tuple(FactObject(name, tuple(others)) for name, others in aliases.items())
