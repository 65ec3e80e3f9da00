"""Invented tables with chains."""

from collections import Counter

import pytest

from rote.errors import TableError
from rote.facts.checking import check_table
from rote.facts.derivation import derive_facts
from rote.facts.fact import FactTable
from rote.facts.invent import invent_table, is_reserved
from rote.facts.linked_table import invent_linked_table
from rote.facts.relation import INJECTED_RELATIONS, load_derived_relations, load_shipped_relations

RELATIONS = load_shipped_relations()
DERIVED = load_derived_relations()
INJECTED = [RELATIONS[name] for name in INJECTED_RELATIONS]
SEEDS = (0, 1, 11)
LINK = {"educated_at": "mother"}


def invent(seed: int, count: int = 100) -> FactTable:
    return invent_linked_table(INJECTED, links=LINK, count=count, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_chain_is_complete(seed: int) -> None:
    table = invent(seed)
    assert [len(table.select(name)) for name in INJECTED_RELATIONS] == [100] * 5
    assert table.relations == INJECTED_RELATIONS
    derived = derive_facts(table, DERIVED["mothers_university"])
    assert [item.sources for item in derived] == list(
        zip(table.select("mother"), table.select("educated_at"), strict=True)
    )
    assert [item.fact.answers for item in derived] == [fact.answers for fact in table.select("educated_at")]


@pytest.mark.parametrize("seed", SEEDS)
def test_names_are_reserved_and_shared_only_through_a_link(seed: int) -> None:
    table = invent(seed)
    counts = Counter(name.casefold() for fact in table for name in (fact.subject, fact.object))
    mothers = {fact.object.casefold() for fact in table.select("mother")}
    assert {name for name, count in counts.items() if count > 1} == mothers
    assert max(counts.values()) == 2
    assert all(is_reserved(name) for fact in table for name in (fact.subject, fact.object))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_name_of_a_chain_contains_another(seed: int) -> None:
    table = invent(seed)
    chain = (*table.select("mother"), *table.select("educated_at"))
    names = sorted({name.casefold() for fact in chain for name in (fact.subject, fact.object)})
    assert len(names) == 300
    assert not [(name, other) for name in names for other in names if name != other and name in other]


def test_the_same_seed_invents_the_same_table() -> None:
    assert invent(3) == invent(3)
    assert invent(3).seed == 3
    assert invent(3).content_hash != invent(4).content_hash


def test_the_first_relation_is_that_of_an_unlinked_table() -> None:
    relations = [RELATIONS["mother"], RELATIONS["educated_at"]]
    linked = invent_linked_table(relations, links=LINK, count=20, seed=0)
    plain = invent_table(relations, count=20, seed=0)
    assert linked.select("mother") == plain.select("mother")
    assert [fact.object for fact in linked.select("educated_at")] == [
        fact.object for fact in plain.select("educated_at")
    ]


def test_two_relations_may_be_linked_to_one() -> None:
    links = {"official_language": "origin", "capital": "origin"}
    relations = [RELATIONS[name] for name in ("official_language", "capital", "origin", "birthplace")]
    table = invent_linked_table(relations, links=links, count=8, seed=0)
    countries = [fact.object for fact in table.select("origin")]
    assert table.relations == tuple(relation.name for relation in relations)
    assert [fact.subject for fact in table.select("capital")] == countries
    assert [fact.subject for fact in table.select("official_language")] == countries


def test_a_chain_may_be_longer_than_two() -> None:
    links = {"capital": "origin", "origin": "mother"}
    relations = [RELATIONS[name] for name in ("capital", "origin", "mother")]
    table = invent_linked_table(relations, links=links, count=8, seed=0)
    assert [fact.subject for fact in table.select("origin")] == [fact.object for fact in table.select("mother")]
    assert [fact.subject for fact in table.select("capital")] == [fact.object for fact in table.select("origin")]


@pytest.mark.parametrize("source", ["mother", "author"])
def test_a_linked_table_and_all_that_follows_from_it_can_be_asked(source: str) -> None:
    table = invent_linked_table(INJECTED, links={"educated_at": source}, count=100, seed=0)
    check_table(table, RELATIONS)
    for relation in DERIVED.values():
        check_table(FactTable(tuple(item.fact for item in derive_facts(table, relation))), DERIVED)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({"genre": "mother"}, "the link from 'mother' to 'genre' needs the relation 'genre'"),
        ({"capital": "origin"}, "the link from 'origin' to 'capital' needs the relation 'origin'"),
        ({"capital": "mother", "mother": "capital"}, "the links of 'capital' lead in a circle"),
        ({"mother": "mother"}, "the links of 'mother' lead in a circle"),
    ],
)
def test_bad_links_are_refused(links: dict[str, str], message: str) -> None:
    with pytest.raises(TableError, match=message):
        invent_linked_table([RELATIONS["capital"], RELATIONS["mother"]], links=links, count=2, seed=0)


def test_a_link_into_a_circle_is_refused() -> None:
    links = {"genre": "capital", "capital": "mother", "mother": "capital"}
    with pytest.raises(TableError, match="lead in a circle"):
        invent_linked_table([RELATIONS[name] for name in links], links=links, count=2, seed=0)
