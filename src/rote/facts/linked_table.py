"""Invented tables whose relations meet: the objects of one are the subjects of another, so two facts make a chain.

The facts are those of `invent_table` as far as possible: what has no link is the same fact, and what has one keeps its
object and changes only its subject. A fact is passed over, and the next one taken, where a name of it is in the way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rote.errors import TableError
from rote.facts.fact import Fact, FactTable
from rote.facts.invent import invent_facts
from rote.facts.names import normalize_name, touch_words
from rote.facts.relation import Relation


def invent_linked_table(relations: list[Relation], *, links: Mapping[str, str], count: int, seed: int) -> FactTable:
    """Invent a table with `count` facts of each relation, in the order of `relations`.

    A link `{"educated_at": "mother"}` makes the objects of `mother` the subjects of `educated_at`, in the same order.
    Two facts share a name only through a link. As in `invent_facts`, all names are reserved and none contains another
    one of its relation; nor does it one of the relations that lead there through links. Raises `TableError` for a link
    that names a relation outside `relations`, for links in a circle, and when too few names can be found.
    """
    by_name = {relation.name: relation for relation in relations}
    _check_links(links, by_name)
    chains = {name: _follow(name, links) for name in by_name}
    made: dict[str, list[Fact]] = {}
    for name in sorted(by_name, key=lambda name: len(chains[name])):  # a relation after all that lead to it
        taken = _collect_names(fact for facts in made.values() for fact in facts)
        leading = _collect_names(fact for source in chains[name] for fact in made[source])
        facts = _invent_free(by_name[name], count, seed, taken=taken, leading=leading)
        subjects = [fact.object for fact in made[links[name]]] if name in links else [fact.subject for fact in facts]
        made[name] = [replace(fact, subject=subject) for fact, subject in zip(facts, subjects, strict=True)]
    return FactTable(tuple(fact for relation in relations for fact in made[relation.name]), seed=seed)


def _check_links(links: Mapping[str, str], known: Iterable[str]) -> None:
    for name, source in links.items():
        for end in (name, source):
            if end not in known:
                raise TableError(f"the link from {source!r} to {name!r} needs the relation {end!r}; invent it too")
        if name in _follow(name, links):
            raise TableError(f"the links of {name!r} lead in a circle; leave one of them out")


def _follow(name: str, links: Mapping[str, str]) -> tuple[str, ...]:
    """The relations that lead to one through links, the nearest first; a circle is followed once."""
    chain: list[str] = []
    while name in links and links[name] not in chain:
        name = links[name]
        chain.append(name)
    return tuple(chain)


def _collect_names(facts: Iterable[Fact]) -> set[str]:
    return {normalize_name(name) for fact in facts for name in (fact.subject, fact.object)}


def _invent_free(relation: Relation, count: int, seed: int, *, taken: set[str], leading: set[str]) -> list[Fact]:
    """The first `count` facts without a name in `taken` whose object neither contains nor lies in one of `leading`."""
    wanted = count
    while True:
        facts = [
            fact
            for fact in invent_facts(relation, count=wanted, seed=seed)
            if not _collect_names([fact]) & taken and not touch_words([normalize_name(fact.object)], leading)
        ]
        if len(facts) >= count:
            return facts[:count]
        wanted += count - len(facts)
