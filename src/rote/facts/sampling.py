"""What a plan takes from the facts: the packs they are asked with, samples, and facts like them nobody was taught."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rote.facts.checking import find_fault
from rote.facts.fact import Fact, FactTable
from rote.facts.invent import NAMERS, invent_facts, recombine_names
from rote.facts.relation import Relation, add_neutral_relations, load_relations, load_shipped_relations
from rote.facts.shipped import load_world

_UNSEEN_SEED_OFFSET = 1_000_003
"""Unseen facts are invented with another seed than any table a person would invent."""


def choose_relations(facts: Sequence[Fact], packs: Sequence[str]) -> dict[str, Relation]:
    """A pack for every relation. The embedded model's own subjects are asked about in the words of its world."""
    known = {fact.subject for fact in load_world()}
    beyond = {fact.relation for fact in facts if fact.subject not in known}
    embedded = [name for name in load_shipped_relations() if name not in beyond]
    names = dict.fromkeys(fact.relation for fact in facts)
    return add_neutral_relations(load_relations(packs, embedded=embedded), names)


def sample_facts(facts: Sequence[Fact], *, count: int, seed: int) -> list[Fact]:
    """`count` facts drawn with a seed (all of them for 0 or where there are fewer), in the table's order."""
    chosen = random.Random(f"sample/{seed}").sample(range(len(facts)), min(count or len(facts), len(facts)))
    return [facts[index] for index in sorted(chosen)]


def sample_by_relation(facts: Sequence[Fact], *, count: int, seed: int) -> list[Fact]:
    """`count` facts of each relation, as `sample_facts` draws them."""
    return [
        fact
        for relation in dict.fromkeys(fact.relation for fact in facts)
        for fact in sample_facts([other for other in facts if other.relation == relation], count=count, seed=seed)
    ]


def invent_unseen(table: FactTable, relations: Mapping[str, Relation], *, count: int) -> list[Fact]:
    """Facts like those of the table that are never taught: with invented names, or names put together from parts of
    those in the table where no kind of name is known."""
    taken = {fact.id for fact in table}
    seed = (table.seed or 0) + _UNSEEN_SEED_OFFSET
    facts: list[Fact] = []
    for name in table.relations:
        relation = relations[name]
        if relation.subject_type in NAMERS and relation.object_type in NAMERS and count:
            facts += invent_facts(relation, count=count, seed=seed)
        else:
            facts += _recombine(table.select(name), count=count, seed=seed)
    return [fact for fact in facts if fact.id not in taken]


def _recombine(facts: Sequence[Fact], *, count: int, seed: int) -> list[Fact]:
    """Facts of one relation about subjects that do not exist; their objects are those of others."""
    real = {fact.subject for fact in load_world()}
    subjects = recombine_names([fact.subject for fact in facts], count=count, seed=seed, taken=real)
    made = [replace(fact, subject=subject) for fact, subject in zip(facts, subjects, strict=False)]
    return [fact for fact in made if find_fault(fact) is None]
