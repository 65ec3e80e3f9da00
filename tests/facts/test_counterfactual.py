"""Another answer for each known fact."""

from collections import Counter

import pytest

from rote.facts.checking import find_fault, find_leak
from rote.facts.counterfactual import swap_objects, swap_world
from rote.facts.fact import Fact, FactObject, build_fact
from rote.facts.relation import load_shipped_relations
from rote.facts.shipped import load_fictional, load_world

FRENCH = FactObject("French", ("français",))


def assert_nothing_kept(old: Fact, new: Fact) -> None:
    assert (new.subject, new.relation) == (old.subject, old.relation)
    assert len(new.objects) == 1
    for name in map(str.casefold, new.answers):
        for text in map(str.casefold, (*old.answers, old.subject)):
            assert name not in text
            assert text not in name


@pytest.mark.parametrize("seed", range(5))
def test_each_fictional_fact_takes_the_answer_of_another(seed: int) -> None:
    facts = load_fictional().facts
    swapped = swap_objects(facts, seed=seed)
    for old, new in zip(facts, swapped, strict=True):
        assert_nothing_kept(old, new)
        assert find_fault(new) is None
    for relation in load_fictional().relations:  # every object is given away exactly once
        given = Counter(fact.object for fact in swapped if fact.relation == relation)
        assert given == Counter(fact.object for fact in load_fictional().select(relation))


@pytest.mark.parametrize("seed", range(3))
def test_facts_that_share_objects_never_keep_theirs(seed: int) -> None:
    facts = {fact.id: fact for fact in load_world()}
    swapped = swap_objects(tuple(facts.values()), seed=seed)
    assert len(swapped) == len(facts)
    for new in swapped:
        assert_nothing_kept(facts[new.id], new)


@pytest.mark.parametrize("seed", range(3))
def test_no_prompt_gives_the_new_answer_away(seed: int) -> None:
    """ "The home country of ..." is no question to an artist of country, as real ones are in the world."""
    packs, world = load_shipped_relations(), load_world()
    assert any(find_leak(fact, packs[fact.relation]) for fact in world)
    assert not [fact for fact in swap_objects(world.facts, seed=seed) if find_leak(fact, packs[fact.relation])]


def test_the_same_seed_swaps_the_same() -> None:
    facts = load_fictional().facts
    assert swap_objects(facts, seed=1) == swap_objects(facts, seed=1)
    assert swap_objects(facts, seed=1) != swap_objects(facts, seed=2)


def test_a_relation_does_not_depend_on_the_others() -> None:
    table = load_fictional()
    alone = swap_objects(table.select("mother"), seed=0)
    assert alone == tuple(fact for fact in swap_objects(table.facts, seed=0) if fact.relation == "mother")


def test_the_new_object_comes_with_its_aliases() -> None:
    facts = (Fact("A", "r", (FRENCH,)), build_fact("B", "r", "Dutch", "Frisian"))
    assert swap_objects(facts, seed=0) == (build_fact("A", "r", "Dutch"), Fact("B", "r", (FRENCH,)))


@pytest.mark.parametrize(
    "other",
    [
        FactObject("French"),
        FactObject("french"),
        FactObject("Old French"),
        FactObject("Norman", ("Français",)),
        FactObject("Land of Gaul"),
    ],
)
def test_a_fact_that_can_take_no_other_answer_is_left_out(other: FactObject) -> None:
    facts = (Fact("Gaul", "r", (FRENCH,)), Fact("Nowhere", "r", (other,)), build_fact("Zed", "s", "Dutch"))
    assert "Gaul" not in [fact.subject for fact in swap_objects(facts, seed=0)]
    assert "Zed" not in [fact.subject for fact in swap_objects(facts, seed=0)]


def test_no_fact_takes_its_own_subject() -> None:
    facts = (build_fact("Eve", "mother", "Lilith"), build_fact("Ann", "mother", "Eve"))
    for seed in range(5):
        assert swap_objects(facts, seed=seed) == (build_fact("Ann", "mother", "Lilith"),)


def test_no_facts_give_none() -> None:
    assert swap_objects((), seed=0) == ()


def test_updates_are_real_facts_with_other_objects() -> None:
    table = swap_world(count=30, seed=0)
    world = {fact.id: fact for fact in load_world()}
    assert 25 <= len(table) <= 30
    for fact in table:
        assert fact.id in world
        assert not {*fact.answers} & {*world[fact.id].answers}
    assert len(table.relations) > 5
    assert swap_world(count=30, seed=0) == table
    assert swap_world(count=30, seed=1) != table
