"""The wrong candidates of a multiple-choice question."""

import random

from rote.facts.fact import Fact

DISTRACTORS = 99


def pick_distractors(fact: Fact, pool: list[Fact], *, count: int = DISTRACTORS, seed: int) -> tuple[str, ...]:
    """Up to `count` objects of other facts of the same relation, in random order.

    An object that contains a right answer, or lies in one, is left out, and so is one that contains another
    candidate: a model that says the longer one must not be counted for the shorter.
    """
    rng = random.Random(f"{fact.id}/{seed}")
    objects = sorted({other.object for other in pool if other.relation == fact.relation})
    rng.shuffle(objects)
    chosen: list[str] = []
    taken = [answer.casefold() for answer in fact.answers]
    for candidate in objects:
        if len(chosen) == count:
            break
        text = candidate.casefold()
        if not any(text in other or other in text for other in taken):
            taken.append(text)
            chosen.append(candidate)
    return tuple(chosen)
