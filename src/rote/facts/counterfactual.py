"""Another answer for each known fact: what a model is taught when it shall change its mind."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from rote.facts.fact import Fact, FactObject


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
