"""The three rings: which fact is in which, and when a loss is within the budget."""

from dataclasses import replace

import pytest
from tests.experiments.conftest import build_record

from rote.evaluation.side_effects import Taught, compute_rings, compute_task_row, compute_text_row, find_losses
from rote.records import Record

TAUGHT = Taught({"Gene"}, {"mother"})


def ask(subject: str, relation: str, before: bool, after: bool) -> list[Record]:
    return [
        build_record(subject, value, relation=relation, fact_set="known", moment=moment)
        for moment, value in (("before", before), ("memorize", False), ("generalize", after))
    ]


def twice(subject: str, relation: str, before: tuple[bool, bool], after: bool) -> list[Record]:
    """A fact in a training and in a held-out prompt, with the answers to both before, and to the second after."""
    return [
        *ask(subject, relation, before[1], after),
        *(replace(record, prompt_set="training", prompt="!") for record in ask(subject, relation, before[0], True)),
    ]


KNOWN = (True, True)


def test_every_fact_is_in_one_ring() -> None:
    records = [
        *twice("Gene", "birthplace", KNOWN, False),
        *twice("Cody", "mother", KNOWN, True),
        *twice("Rome", "capital", KNOWN, True),
        *twice("Oslo", "capital", KNOWN, False),
        build_record("Gene", True, fact_set="held_out"),
    ]
    rows = {row["ring"]: row for row in compute_rings(records, TAUGHT, budget=0.02)}
    assert {ring: (row["known"], row["loss"]) for ring, row in rows.items()} == {
        "same subject": (1, 1.0),
        "same relation": (1, 0.0),
        "other facts": (2, 0.5),
    }
    assert rows["same relation"]["verdict"] == "unclear", "one fact proves nothing"


def test_only_what_was_right_twice_was_known() -> None:
    records = [
        *twice("A", "capital", (True, True), False),
        *twice("B", "capital", (False, True), False),  # right by luck in one wording: may be wrong again without a loss
        *twice("C", "capital", (True, False), True),
        *twice("D", "capital", (False, False), False),
    ]
    (row,) = compute_rings(records, TAUGHT, budget=0.02)
    assert (row["known"], row["n"], row["loss"]) == (1, 1, 1.0)
    assert row["won"] is not None
    assert (row["won"]["n"], row["won"]["mean"]) == (2, 0.5), "C was won, D was not"


def test_the_losses_are_the_questions_that_the_shares_count() -> None:
    records = [
        *(record for number in range(9) for record in twice(f"A{number}", "capital", KNOWN, number >= 4)),
        *twice("Gene", "birthplace", KNOWN, False),
        *twice("luck", "capital", (False, True), False),
        *twice("won", "capital", (True, False), True),
    ]
    losses = find_losses(records, TAUGHT)
    assert [(loss.ring, loss.after.subject) for loss in losses] == [
        ("same subject", "Gene"),
        *(("other facts", f"A{number}") for number in range(4)),
    ]
    assert all((loss.before.moment, loss.before.correct) == ("before", True) for loss in losses)
    assert all((loss.after.moment, loss.after.correct) == ("generalize", False) for loss in losses)
    for row in compute_rings(records, TAUGHT, budget=0.02):
        lost = [loss for loss in losses if loss.ring == row["ring"]]
        assert row["loss"] == pytest.approx(len(lost) / row["n"], abs=1e-6)
    assert find_losses([record for record in records if record.moment == "before"], TAUGHT) == []


def test_a_model_that_forgets_and_guesses_others_right_has_lost() -> None:
    """Of 1,000 facts it knows 500; it forgets 50 of them and starts guessing 50 of the others."""
    numbers = range(500)
    records = [
        *(record for number in numbers for record in twice(f"A{number}", "capital", KNOWN, number >= 50)),
        *(record for number in numbers for record in twice(f"B{number}", "capital", (False, False), number < 50)),
    ]
    (row,) = compute_rings(records, TAUGHT, budget=0.02)
    assert (row["loss"], row["known"], row["verdict"]) == (0.1, 500, "lost")
    assert row["won"] is not None
    assert row["won"]["mean"] == 0.1
    assert not row["few"]


def test_few_known_facts_are_said_to_be_few_and_none_say_nothing() -> None:
    few = [record for number in range(49) for record in twice(f"A{number}", "capital", KNOWN, True)]
    (row,) = compute_rings(few, TAUGHT, budget=0.02)
    assert (row["known"], row["few"], row["won"]) == (49, True, None)
    (row,) = compute_rings([*few, *twice("B", "capital", KNOWN, True)], TAUGHT, budget=0.02)
    assert not row["few"]
    (row,) = compute_rings(twice("A", "capital", (False, False), True), TAUGHT, budget=0.02)
    assert (row["known"], row["n"], row["verdict"], row["few"]) == (0, 0, "unclear", True)


def test_a_known_fact_is_judged_by_held_out_prompts_where_it_has_some() -> None:
    (row,) = compute_rings(twice("Cody", "mother", KNOWN, False), TAUGHT, budget=0.02)
    assert (row["loss"], row["n"]) == (1.0, 1), "that the training prompt is still answered does not count"
    alone = [replace(record, prompt_set="training") for record in ask("Dora", "mother", True, True)]
    (row,) = compute_rings([*twice("Cody", "mother", KNOWN, False), *alone], TAUGHT, budget=0.02)
    assert (row["loss"], row["n"]) == (0.5, 2)


def test_many_facts_that_stay_are_kept_and_many_that_go_are_lost() -> None:
    kept = [record for number in range(400) for record in twice(f"S{number}", "capital", KNOWN, True)]
    lost = [record for number in range(40) for record in twice(f"S{number}", "capital", KNOWN, False)]
    assert compute_rings(kept, TAUGHT, budget=0.02)[0]["verdict"] == "kept"
    assert compute_rings(lost, TAUGHT, budget=0.02)[0]["verdict"] == "lost"


def test_text_is_measured_passage_by_passage() -> None:
    row = compute_text_row([2.0, 3.0, 4.0], [2.1, 3.1, 4.1], budget=0.02)
    assert (row["before"], row["after"]) == (3.0, 3.1)
    assert row["loss"] == pytest.approx(0.1)
    assert row["low"] == pytest.approx(0.1, abs=1e-6)
    assert row["verdict"] == "lost"


def test_a_metric_beyond_1_keeps_its_scale() -> None:
    before = {"a": [37.5], "b": [50.0], "c": [12.5]}
    row = compute_task_row("truth", "bleu_max", (before, {"a": [25.0], "b": [40.0], "c": [5.0]}), budget=0.02)
    assert row["before"] == pytest.approx(100 / 3)
    assert row["after"] == pytest.approx(70 / 3)
    assert row["loss"] == pytest.approx(10)
    assert row["low"] < 10 < row["high"]
    assert row["low"] > 1, "not cut off at 1"
    assert row["verdict"] == "lost"
    same = compute_task_row("truth", "bleu_max", (before, {**before, "a": [36.5]}), budget=0.02)
    assert same["verdict"] == "unclear"


def test_a_task_with_shares_is_bounded() -> None:
    row = compute_task_row("arc", "acc", ({"a": [1], "b": [1], "c": [1]}, {"a": [0], "b": [0], "c": [1]}), budget=0.02)
    assert (row["ring"], row["measure"], row["before"]) == ("lm-eval: arc", "acc", 1.0)
    assert row["high"] == 1


def test_nothing_asked_gives_no_rows() -> None:
    assert compute_rings([build_record("Gene", True)], TAUGHT, budget=0.02) == []
