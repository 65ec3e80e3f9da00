"""Objects of other facts of a relation: as another answer for a known fact, and as the wrong candidates of a choice."""

import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rote.facts.checking import find_fault, find_leak
from rote.facts.fact import Fact, FactObject, FactTable
from rote.facts.names import normalize_name, touch, touch_words
from rote.facts.relation import load_shipped_relations
from rote.facts.shipped import load_world

DISTRACTORS = 99


def swap_objects(facts: Sequence[Fact], *, seed: int) -> tuple[Fact, ...]:
    """Give each fact the taught object, with its aliases, of another fact of its relation; the same for the same seed.

    No name of the new object touches one of the old answers or the subject (`rote.facts.names.touch`), so whoever says
    the one has not said the other, and none stands in a shipped prompt of the relation. Each object is given away once
    before any is given twice, as far as this allows. A fact for which no other's object will do is left out; the rest
    stay in order.
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
    if touch((new.name, *new.aliases), (*fact.answers, fact.subject)):
        return False
    relation = load_shipped_relations().get(fact.relation)
    return relation is None or find_leak(replace(fact, objects=(new,)), relation) is None


def pick_distractors(fact: Fact, pool: Iterable[Fact], *, count: int = DISTRACTORS, seed: int) -> tuple[str, ...]:
    """Up to `count` objects of other facts of the same relation, in random order: the wrong candidates of a choice.

    An object that touches a right answer or another candidate is left out: a model that says the longer one must not
    be counted for the shorter.
    """
    rng = random.Random(f"{fact.id}/{seed}")
    objects = sorted({other.object for other in pool if other.relation == fact.relation})
    rng.shuffle(objects)
    chosen: list[str] = []
    taken = [normalize_name(answer) for answer in fact.answers]
    for candidate in objects:
        if len(chosen) == count:
            break
        words = normalize_name(candidate)
        if not touch_words([words], taken):
            taken.append(words)
            chosen.append(candidate)
    return tuple(chosen)
