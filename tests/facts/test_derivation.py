"""What follows from a table of facts."""

import pytest

from rote.facts.derivation import DerivedFact, derive_facts
from rote.facts.fact import Fact, FactObject, build_fact
from rote.facts.relation import Derivation, DerivationKind, Relation

ANN = build_fact("Ann", "mother", "Eve")
BOB = Fact("Bob", "mother", (FactObject("Eve", ("Evie",)), FactObject("Joan")))
CAT = build_fact("Cat", "mother", "Joan")
DAN = build_fact("Dan", "mother", "Ida")
EVE_STUDIED = Fact("Eve", "educated_at", (FactObject("Oxbridge", ("OB",)), FactObject("Camford")))
JOAN_STUDIED = Fact("Joan", "educated_at", (FactObject("Oxbridge", ("Oxb",)),))
ANN_STUDIED = build_fact("Ann", "educated_at", "Durwick")
FACTS = (JOAN_STUDIED, ANN, BOB, EVE_STUDIED, CAT, ANN_STUDIED, DAN)


def build_relation(kind: DerivationKind, *sources: str) -> Relation:
    return Relation("new", "", "subject", "object", (), Derivation(kind, sources))


def test_an_inverse_collects_all_that_share_an_object() -> None:
    assert derive_facts(FACTS, build_relation("inverse", "mother")) == (
        DerivedFact(build_fact("Eve", "new", "Ann", "Bob"), (ANN, BOB)),
        DerivedFact(build_fact("Joan", "new", "Bob", "Cat"), (BOB, CAT)),
        DerivedFact(build_fact("Ida", "new", "Dan"), (DAN,)),
    )


def test_an_object_named_twice_is_inverted_once() -> None:
    twice = build_fact("Ann", "mother", "Eve", "Eve")
    assert derive_facts([twice], build_relation("inverse", "mother"))[0].fact == build_fact("Eve", "new", "Ann")


def test_a_composed_fact_follows_both_hops() -> None:
    both = (FactObject("Oxbridge", ("OB", "Oxb")), FactObject("Camford"))
    assert derive_facts(FACTS, build_relation("composed", "mother", "educated_at")) == (
        DerivedFact(Fact("Ann", "new", EVE_STUDIED.objects), (ANN, EVE_STUDIED)),
        DerivedFact(Fact("Bob", "new", both), (BOB, EVE_STUDIED, JOAN_STUDIED)),
        DerivedFact(Fact("Cat", "new", JOAN_STUDIED.objects), (CAT, JOAN_STUDIED)),
    )


def test_an_alias_is_not_the_middle_of_a_chain() -> None:
    facts = (BOB, build_fact("Evie", "educated_at", "Durwick"))
    assert derive_facts(facts, build_relation("composed", "mother", "educated_at")) == ()


def test_a_relation_can_be_composed_with_itself() -> None:
    older = build_fact("Eve", "mother", "Lilith")
    (derived,) = derive_facts((older, ANN), build_relation("composed", "mother", "mother"))
    assert derived == DerivedFact(build_fact("Ann", "new", "Lilith"), (ANN, older))


def test_another_meaning_keeps_subject_and_objects() -> None:
    derived = derive_facts(FACTS, build_relation("meaning", "mother"))
    assert [item.sources for item in derived] == [(ANN,), (BOB,), (CAT,), (DAN,)]
    assert all(item.fact == Fact(item.sources[0].subject, "new", item.sources[0].objects) for item in derived)


@pytest.mark.parametrize("kind", ["inverse", "meaning"])
def test_nothing_follows_from_nothing(kind: DerivationKind) -> None:
    assert derive_facts((), build_relation(kind, "mother")) == ()


def test_facts_may_come_from_a_generator() -> None:
    relation = build_relation("composed", "mother", "educated_at")
    assert derive_facts((fact for fact in FACTS), relation) == derive_facts(FACTS, relation)


def test_a_relation_that_is_not_derived_is_refused() -> None:
    with pytest.raises(ValueError, match="'mother' is not derived"):
        derive_facts(FACTS, Relation("mother", "", "person", "woman", ()))
