"""Names of what does not exist, and tables of updates."""

from rote.facts.counterfactual import swap_world
from rote.facts.invent import recombine_names
from rote.facts.world import load_world

BOOKS = ["Street Scene", "London Calling", "Planet X", "Old Town in the Green Groves", "Ulysses", "Emma"]


def test_names_are_new_and_made_of_the_old() -> None:
    names = recombine_names(BOOKS, count=8, seed=0, taken=["Street X"])
    assert len(names) == len(set(names)) == 8
    assert not {*names} & {*BOOKS, "Street X"}
    words = {word for book in BOOKS for word in book.split()}
    assert all({*name.split()} <= words for name in names if " " in name)
    assert recombine_names(BOOKS, count=8, seed=0, taken=["Street X"]) == names
    assert recombine_names(BOOKS, count=8, seed=1) != names


def test_too_few_names_give_few_or_none() -> None:
    assert recombine_names(["Ulysses"], count=3, seed=0) == []
    assert len(recombine_names(["Planet X", "Street Scene"], count=9, seed=0)) == 2


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
