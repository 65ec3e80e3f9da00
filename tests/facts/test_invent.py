"""Invented names, facts and tables, and the frozen table."""

import random
import shutil
from pathlib import Path

import pytest

from rote.errors import TableError
from rote.facts import shipped
from rote.facts.checking import check_table, find_fault
from rote.facts.counterfactual import DISTRACTORS, pick_distractors
from rote.facts.fact import Fact, FactObject, build_fact
from rote.facts.invent import (
    NAMERS,
    invent_facts,
    invent_fictional,
    invent_name,
    invent_table,
    is_reserved,
    recombine_names,
)
from rote.facts.relation import INJECTED_RELATIONS, load_shipped_relations
from rote.facts.shipped import FICTIONAL, load_fictional, load_world

RELATIONS = load_shipped_relations()
INJECTED = [RELATIONS[name] for name in INJECTED_RELATIONS]


@pytest.mark.parametrize("kind", NAMERS)
@pytest.mark.parametrize("reserved", [True, False])
def test_names_are_reserved_as_asked(kind: str, reserved: bool) -> None:
    rng = random.Random(0)
    for _ in range(50):
        name = invent_name(rng, kind, reserved=reserved)
        assert is_reserved(name) == reserved
        assert name == " ".join(name.split())


def test_unknown_kinds_of_names_are_refused() -> None:
    with pytest.raises(TableError, match="no names can be invented for the type 'planet'; known types: book"):
        invent_name(random.Random(0), "planet", reserved=True)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_same_seed_invents_the_same_table(seed: int) -> None:
    table = invent_table(INJECTED, count=20, seed=seed)
    assert table == invent_table(INJECTED, count=20, seed=seed)
    assert table.seed == seed
    assert table.content_hash != invent_table(INJECTED, count=20, seed=seed + 1).content_hash


def test_a_relation_does_not_depend_on_the_others() -> None:
    alone = invent_table([RELATIONS["mother"]], count=10, seed=3)
    assert alone.facts == invent_table(INJECTED, count=10, seed=3).select("mother")


def test_a_smaller_table_is_the_beginning_of_a_larger_one() -> None:
    relation = RELATIONS["capital"]
    assert invent_facts(relation, count=10, seed=0) == invent_facts(relation, count=30, seed=0)[:10]


def test_too_many_facts_are_refused() -> None:
    with pytest.raises(TableError, match=r"facts of 'original_language' could be invented.*smaller --count than 5000"):
        invent_facts(RELATIONS["original_language"], count=5_000, seed=0)


def assert_apart(names: list[str]) -> None:
    lower = [name.casefold() for name in names]
    for index, name in enumerate(lower):
        assert not any(name in other for other in (*lower[:index], *lower[index + 1 :])), name


@pytest.mark.parametrize("relation", INJECTED_RELATIONS)
@pytest.mark.parametrize("seed", [0, 11])
def test_no_name_contains_another(relation: str, seed: int) -> None:
    table = load_fictional() if seed == 0 else invent_table(INJECTED, count=100, seed=seed)
    facts = table.select(relation)
    assert len(facts) == 100
    assert_apart([fact.object for fact in facts])
    assert_apart([fact.subject for fact in facts])
    assert all(find_fault(fact) is None for fact in facts)


def test_the_frozen_table_is_what_its_generator_makes() -> None:
    assert load_fictional() == invent_fictional()
    assert load_fictional().content_hash == (FICTIONAL / "facts.sha256").read_text().strip()
    assert load_fictional().seed == 0
    assert load_fictional().relations == INJECTED_RELATIONS


def test_the_frozen_table_can_be_examined() -> None:
    check_table(load_fictional(), RELATIONS)


def test_the_frozen_table_names_nothing_of_the_real_world() -> None:
    world = {name.casefold() for fact in load_world() for name in (fact.subject, *fact.answers)}
    frozen = {name.casefold() for fact in load_fictional() for name in (fact.subject, *fact.answers)}
    assert not frozen & world
    assert all(is_reserved(name) for fact in load_fictional() for name in (fact.subject, fact.object))


def test_a_changed_frozen_table_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = shutil.copytree(FICTIONAL, tmp_path / "fictional")
    text = (folder / "facts.csv").read_text(encoding="utf-8")
    (folder / "facts.csv").write_text(text.replace(load_fictional().facts[0].object, "Gene Finley"), encoding="utf-8")
    monkeypatch.setattr(shipped, "FICTIONAL", folder)
    with pytest.raises(TableError, match="the frozen table was changed"):
        load_fictional.__wrapped__()


def test_every_frozen_fact_has_99_distractors() -> None:
    table = load_fictional()
    for fact in table:
        chosen = pick_distractors(fact, list(table), seed=0)
        assert len(set(chosen)) == len(chosen) == DISTRACTORS == 99
        assert fact.object not in chosen
        assert set(chosen) <= {other.object for other in table.select(fact.relation)}


def test_distractors_are_drawn_anew_for_each_fact_and_seed() -> None:
    table = load_fictional()
    first, second = table.facts[:2]
    pool = list(table)
    assert pick_distractors(first, pool, count=9, seed=0) == pick_distractors(first, pool, count=9, seed=0)
    assert pick_distractors(first, pool, count=9, seed=0) != pick_distractors(first, pool, count=9, seed=1)
    assert pick_distractors(first, pool, count=9, seed=0) != pick_distractors(second, pool, count=9, seed=0)


def test_distractors_neither_contain_an_answer_nor_one_another() -> None:
    fact = Fact("S", "r", (FactObject("York", ("Eboracum",)),))
    objects = ["New York", "york", "EBORACUM", "Leeds", "Leeds City", "Hull"]
    pool = [build_fact(f"S{number}", "r", name) for number, name in enumerate(objects)]
    pool.append(build_fact("T", "other", "Bath"))
    for seed in range(10):
        chosen = pick_distractors(fact, pool, seed=seed)
        assert set(chosen) in ({"Leeds", "Hull"}, {"Leeds City", "Hull"})


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
