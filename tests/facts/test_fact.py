import dataclasses

import pytest

from rote.errors import TableError
from rote.facts.fact import Fact, FactObject, FactTable, build_fact

ROSS = build_fact("Gene Finley", "mother", "Cody Ross")


def test_the_first_object_is_taught_and_every_name_counts_as_right() -> None:
    fact = Fact("Belgium", "language", (FactObject("Dutch", ("Flemish",)), FactObject("French")))
    assert fact.object == "Dutch"
    assert fact.answers == ("Dutch", "Flemish", "French")
    assert fact.id == "language/Belgium"


def test_facts_and_tables_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ROSS.subject = "X"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        FactTable((ROSS,)).seed = 1  # type: ignore[misc]


def test_a_table_keeps_its_order_and_selects_by_relation() -> None:
    table = FactTable((ROSS, build_fact("A", "capital", "B"), build_fact("C", "mother", "D")))
    assert table.relations == ("mother", "capital")
    assert [fact.subject for fact in table.select("mother")] == ["Gene Finley", "C"]
    assert len(table) == len(list(table)) == 3


def test_a_table_refuses_a_second_fact_of_the_same_subject_and_relation() -> None:
    with pytest.raises(TableError, match="'Gene Finley' 'mother' occurs twice"):
        FactTable((ROSS, build_fact("Gene Finley", "mother", "Ann Lee")))


def test_the_hash_is_of_what_the_facts_say() -> None:
    table = FactTable((ROSS,), seed=0)
    assert table.content_hash == FactTable((ROSS,), seed=7).content_hash
    others = [
        FactTable((build_fact("Gene Finley", "mother", "Ann Lee"),)),
        FactTable((Fact("Gene Finley", "mother", (FactObject("Cody Ross", ("C. Ross",)),)),)),
        FactTable((build_fact("Gene Finley", "mother", "Cody Ross", "C. Ross"),)),
        FactTable((ROSS, build_fact("A", "capital", "B"))),
        FactTable((build_fact("A", "capital", "B"), ROSS)),
    ]
    assert len({table.content_hash, *(other.content_hash for other in others)}) == 6
