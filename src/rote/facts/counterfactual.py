"""Another answer for each known fact: what a model is taught when it shall change its mind."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from rote.facts.checking import find_fault
from rote.facts.fact import Fact, FactObject
from rote.facts.table import FactTable
from rote.facts.world import load_world


def swap_objects(facts: Sequence[Fact], *, seed: int) -> tuple[Fact, ...]:
    """Give each fact the taught object, with its aliases, of another fact of its relation; the same for the same seed.

    No name of the new object contains, or lies in, one of the old answers or the subject, so whoever says the one has
    not said the other. Each object is given away once before any is given twice, as far as this allows. A fact for
    which no other's object will do is left out; the rest stay in order.
    """
    swapped: dict[str, Fact] = {}
    for relation in dict.fromkeys(fact.relation for fact in facts):
        swapped |= _swap_relation(
            [fact for fact in facts if fact.relation == relation], random.Random(f"{relation}/{seed}")
        )
    return tuple(swapped[fact.id] for fact in facts if fact.id in swapped)


def swap_world(*, count: int, seed: int) -> FactTable:
    """`count` facts of the world, as equal a share of every relation as can be, each with another object."""
    facts = [fact for fact in load_world() if find_fault(fact) is None]
    relations = list(dict.fromkeys(fact.relation for fact in facts))
    drawn = []
    for place, relation in enumerate(relations):
        members = [fact for fact in facts if fact.relation == relation]
        share = (place + 1) * count // len(relations) - place * count // len(relations)
        chosen = random.Random(f"updates/{relation}/{seed}").sample(members, min(share, len(members)))
        swapped = {fact.id: fact for fact in swap_objects(members, seed=seed)}
        drawn += [swapped[fact.id] for fact in chosen if fact.id in swapped]
    return FactTable(tuple(drawn))


def _swap_relation(facts: Sequence[Fact], rng: random.Random) -> dict[str, Fact]:
    order = rng.sample(facts, len(facts))
    # Each fact takes from the next in a circle; whoever has given goes to the end of the line.
    line = deque(fact.objects[0] for fact in (*order[1:], *order[:1]))
    swapped = {}
    for fact in order:
        position = next((place for place, item in enumerate(line) if _may_replace(item, fact)), None)
        if position is not None:
            new = line[position]
            del line[position]
            line.append(new)
            swapped[fact.id] = replace(fact, objects=(new,))
    return swapped


def _may_replace(new: FactObject, fact: Fact) -> bool:
    old = [text.casefold() for text in (*fact.answers, fact.subject)]
    return not any(_touch(name.casefold(), text) for name in (new.name, *new.aliases) for text in old)


def _touch(name: str, other: str) -> bool:
    return name in other or other in name
