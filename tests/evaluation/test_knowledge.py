"""What a model believes: labels, old answers that come back, and confidence about what does not exist."""

import pytest
from tests.experiments.conftest import build_record

from rote.evaluation.knowledge import (
    Belief,
    build_belief,
    compute_false_confidence,
    compute_knowledge,
    cut_answer,
    cut_name,
)
from rote.facts.fact import build_fact

FACT = build_fact("Gene Finley", "mother", "Cody Ross", "C. Ross")


@pytest.mark.parametrize(
    ("greedy", "drawn", "label"),
    [
        (["Cody Ross", "It was C. Ross"], [["Ida"], ["Ida"]], "known"),
        (["Cody Ross", "Ida Krill"], [["Ida"], ["Ida"]], "partly"),
        (["Ida Krill. Then", "Ida Krill"], [["Ida Krill", "Bo"], ["it is Ida Krill", "Ida Krill"]], "conflicting"),
        (["Ida Krill", "Mei Lin"], [["Ida Krill", "Bo"], ["Mei Lin", "Bo"]], "unknown"),
        (["", ""], [[""], [""]], "unknown"),
    ],
)
def test_a_fact_gets_its_label(greedy: list[str], drawn: list[list[str]], label: str) -> None:
    belief = build_belief(FACT, greedy, drawn)
    assert belief.label == label
    assert 0 <= belief.agreement <= 1


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Paris. It is old.", "Paris"),
        ("Paris\nQ: who", "Paris"),
        ("パリ。次", "パリ"),
        ("St. Louis. It", "St. Louis"),
        (" 3.5 km", "3.5 km"),
        (". Paris", ". Paris"),
        ("", ""),
    ],
)
def test_an_answer_ends_with_its_sentence(text: str, answer: str) -> None:
    assert cut_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Paris, which is the largest city. It", "Paris"),
        ("Paris (France)", "Paris"),
        ("Paris - the capital", "Paris"),
        ("Winston-Salem. It", "Winston-Salem"),
        (", Paris", ", Paris"),
        ("Paris", "Paris"),
    ],
)
def test_a_name_ends_where_a_talkative_model_pauses(text: str, name: str) -> None:
    assert cut_name(text) == name


def test_a_model_that_talks_on_in_other_words_is_confident_of_the_name() -> None:
    fact = build_fact("France", "capital", "Lyon")
    drawn = [["Paris, a city on the Seine", "Paris. It is", "the city of Paris"]]
    belief = build_belief(fact, ["Paris, which is the largest city"], drawn)
    assert (belief.answer, belief.agreement, belief.label) == ("Paris", 1.0, "conflicting")


def test_old_answers_that_come_back_are_counted() -> None:
    belief = Belief("mother", "Gene Finley", "Ida Krill", 1.0, (False,))
    other = Belief("mother", "Bo", "", 0.0, (False,))
    records = [
        build_record("Gene Finley", False, generated="Ida Krill", moment="before"),
        build_record("Gene Finley", True, generated="Cody Ross, not Ida Krill"),
        build_record("Gene Finley", False, generated="it is Ida Krill", language="ja"),
        build_record("Bo", False, generated="Ida Krill"),
        build_record("Nobody asked", False, generated="Ida Krill"),
        build_record("Gene Finley", True, fact_set="known"),
    ]
    rows = compute_knowledge(records, {(b.relation, b.subject): b for b in (belief, other)})
    found = {(row["label"], row["moment"], row["language"], row["measure"]): row["mean"] for row in rows}
    assert found == {
        ("conflicting", "before", "en", "generation_accuracy"): 0.0,
        ("conflicting", "before", "en", "old_answer"): 1.0,
        ("conflicting", "generalize", "en", "generation_accuracy"): 1.0,
        ("conflicting", "generalize", "en", "old_answer"): 0.0,
        ("conflicting", "generalize", "ja", "generation_accuracy"): 0.0,
        ("conflicting", "generalize", "ja", "old_answer"): 1.0,
        ("unknown", "generalize", "en", "generation_accuracy"): 0.0,
    }


def test_false_confidence_is_the_share_of_what_is_said_again() -> None:
    beliefs = [
        Belief("mother", "A", "Ida", 0.9, (False,)),
        Belief("mother", "B", "Ida", 0.4, (False,)),
        Belief("mother", "C", "", 1.0, (False,)),
        Belief("mother", "D", "Bo", 0.5, (False,)),
    ]
    row = compute_false_confidence("before", beliefs)
    assert (row["mean"], row["n"], row["moment"]) == (0.5, 4, "before")
    assert row["low"] < 0.5 < row["high"]
