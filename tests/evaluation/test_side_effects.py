"""The three rings: which fact is in which, and when a loss is within the budget."""

from dataclasses import replace

import pytest
from tests.experiments.conftest import build_record

from rote.evaluation.differences import Figure
from rote.evaluation.side_effects import Taught, compute_rings, compute_text_row, judge
from rote.records import Record

TAUGHT = Taught({"Gene"}, {"mother"})


def ask(subject: str, relation: str, before: bool, after: bool) -> list[Record]:
    return [
        build_record(subject, value, relation=relation, fact_set="known", moment=moment)
        for moment, value in (("before", before), ("memorize", False), ("generalize", after))
    ]


def test_every_fact_is_in_one_ring() -> None:
    records = [
        *ask("Gene", "birthplace", True, False),
        *ask("Cody", "mother", True, True),
        *ask("Rome", "capital", True, True),
        *ask("Oslo", "capital", True, False),
        build_record("Gene", True, fact_set="held_out"),
    ]
    rows = {row["ring"]: row for row in compute_rings(records, TAUGHT, budget=0.02)}
    assert {ring: (row["before"], row["after"], row["loss"]) for ring, row in rows.items()} == {
        "same subject": (1.0, 0.0, 1.0),
        "same relation": (1.0, 1.0, 0.0),
        "other facts": (1.0, 0.5, 0.5),
    }
    assert rows["same relation"]["verdict"] == "unclear", "one fact proves nothing"


def test_a_known_fact_is_judged_by_held_out_prompts_where_it_has_some() -> None:
    held_out = ask("Cody", "mother", True, False)
    training = [replace(record, prompt_set="training") for record in ask("Cody", "mother", True, True)]
    (row,) = compute_rings([*held_out, *training], TAUGHT, budget=0.02)
    assert (row["before"], row["after"], row["n"]) == (1.0, 0.0, 1)
    alone = [replace(record, subject="Dora") for record in training]
    (row,) = compute_rings([*held_out, *training, *alone], TAUGHT, budget=0.02)
    assert (row["before"], row["after"], row["n"]) == (1.0, 0.5, 2)


def test_many_facts_that_stay_are_kept_and_many_that_go_are_lost() -> None:
    kept = [record for number in range(400) for record in ask(f"S{number}", "capital", True, True)]
    lost = [record for number in range(40) for record in ask(f"S{number}", "capital", True, False)]
    assert compute_rings(kept, TAUGHT, budget=0.02)[0]["verdict"] == "kept"
    assert compute_rings(lost, TAUGHT, budget=0.02)[0]["verdict"] == "lost"


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(-0.01, 0.02, "kept"), (0.01, 0.03, "unclear"), (0.021, 0.03, "lost")]
)
def test_the_whole_interval_decides(low: float, high: float, verdict: str) -> None:
    assert judge(Figure(0.02, low, high, 9), 0.02) == verdict


def test_text_is_measured_passage_by_passage() -> None:
    row = compute_text_row([2.0, 3.0, 4.0], [2.1, 3.1, 4.1], budget=0.02)
    assert (row["before"], row["after"]) == (3.0, 3.1)
    assert row["loss"] == pytest.approx(0.1)
    assert row["low"] == pytest.approx(0.1, abs=1e-6)
    assert row["verdict"] == "lost"


def test_nothing_asked_gives_no_rows() -> None:
    assert compute_rings([build_record("Gene", True)], TAUGHT, budget=0.02) == []
