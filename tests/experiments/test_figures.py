"""Figures against numbers computed by hand."""

import math
from statistics import stdev
from typing import Any

import pytest
from tests.experiments.conftest import build_answers, build_job, build_record

from rote.experiments.experiment import Column, State
from rote.experiments.figures import (
    collect_values,
    compute_cell_difference,
    compute_cells,
    compute_confidence,
    compute_equivalent,
    compute_state,
    compute_tokens,
)

# --- which records count ---------------------------------------------------------------------------------------------


def collect(column: Column, *records: Any, **outcome: Any) -> dict[str, list[float]]:
    """The values by subject."""
    return {key[1]: found for key, found in collect_values(column, [build_job(*records, **outcome)]).items()}


@pytest.mark.parametrize("key", ["fact_set", "prompt_set", "language", "relation"])
def test_a_column_selects_by_each_of_its_lists(key: str) -> None:
    records = [build_record("A", True, **{key: "a"}), build_record("B", True, **{key: "b"}), build_record("C", True)]
    assert list(collect(Column.model_validate({"name": "x", key: ["a", "b"]}), *records)) == ["A", "B"]
    assert list(collect(Column(name="x"), *records)) == ["A", "B", "C"]


def test_the_moment_is_the_last_one_unless_named() -> None:
    records = [build_record("A", True, moment="memorize"), build_record("B", True, moment="repurpose")]
    assert list(collect(Column(name="x"), *records)) == ["B"]
    assert list(collect(Column(name="x", moment="memorize"), *records)) == ["A"]
    assert collect(Column(name="x", moment="generalize"), *records) == {}


def test_each_measure_reads_its_own_field() -> None:
    asked = {"object_probability": 0.25, "candidates": 4}
    records = [build_record("A", True, rank=2, **asked), build_record("B", False, rank=1, **asked)]
    records.append(build_record("C", True))  # was no choice
    assert collect(Column(name="x"), *records) == {"A": [1.0], "B": [0.0], "C": [1.0]}
    assert collect(Column(name="x", measure="choice_accuracy"), *records) == {"A": [0.0], "B": [1.0]}
    found = collect(Column(name="x", measure="object_probability"), *records)
    assert found == {"A": [0.25], "B": [0.25], "C": [1.0]}


def test_a_column_may_count_only_what_another_measure_applies_to() -> None:
    records = [build_record("A", True, rank=2, candidates=4), build_record("B", True)]
    assert collect(Column(name="x", where="choice_accuracy"), *records) == {"A": [1.0]}


def test_labels_select_the_groups_of_facts_job_by_job() -> None:
    records = [build_record("A", True), build_record("B", False), build_record("B", True, relation="capital")]
    column = Column(name="x", label=("shown",))
    first = build_job(*records, labels={"mother/A": "shown", "mother/B": "left out"})
    second = build_job(*records, labels={"mother/A": "left out", "mother/B": "shown", "capital/B": "shown"})
    assert collect_values(column, [first]) == {("mother", "A"): [1.0]}
    assert collect_values(column, [first, second]) == {
        ("mother", "A"): [1.0],
        ("mother", "B"): [0.0],
        ("capital", "B"): [1.0],
    }
    assert collect_values(column, [build_job(*records)]) == {}
    both = Column(name="x", label=("shown", "left out"))
    assert collect_values(both, [first]) == {("mother", "A"): [1.0], ("mother", "B"): [0.0]}


def test_a_cell_is_the_mean_over_all_seeds_and_there_is_none_where_nothing_was_asked() -> None:
    columns = (Column(name="held-out", fact_set=("held_out",)), Column(name="known", fact_set=("known",)))
    seeds = [build_answers({"A": [True], "B": [False]}), build_answers({"A": [True], "B": [True]})]
    cells = compute_cells(columns, {"deep": seeds})
    assert set(cells) == {("deep", "held-out")}
    cell = cells["deep", "held-out"]
    assert (cell.value, cell.n) == (0.75, 4)
    assert cell.low < 0.75 < cell.high


# --- hidden states and tokens ----------------------------------------------------------------------------------------

STATE = State(run="deep", moment="memorize", measure="delta_cossim", prompt_set="key")


def build_row(value: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    about = {"moment": "memorize", "measure": "delta_cossim", "prompt_set": "key", "layer": -1}
    return {**about, "figure": {"value": value, "low": low, "high": high, "n": 9}, **changes}


def test_a_state_is_the_mean_over_seeds_with_an_interval_over_facts_and_seeds() -> None:
    others = [
        build_row(0.9, 0.9, 0.9, **changes)
        for changes in ({"moment": "before"}, {"measure": "key_similarity"}, {"prompt_set": "control"}, {"layer": 1})
    ]
    rows = ([build_row(0.5, 0.375, 0.625), *others], [*others, build_row(0.5, 0.25, 0.625)])
    figure = compute_state(STATE, {"deep": [build_job(representations=found) for found in rows]})
    assert figure is not None
    assert (figure.value, figure.low, figure.high, figure.n) == (0.5, 0.25, 0.75, 9)
    apart = [build_job(representations=[build_row(value, value, value)]) for value in (0.25, 0.75)]
    wide = compute_state(STATE, {"deep": apart})
    assert wide is not None
    assert wide.high - wide.value == pytest.approx(12.7062 * 0.25, rel=1e-4)  # of two values 0.5 apart
    assert compute_state(STATE, {"deep": [build_job(representations=others)]}) is None


def test_a_cell_and_a_difference_are_as_wide_as_facts_and_seeds_ask_for() -> None:
    """Seeds with means of 1/4, 1/2 and 3/4: their standard deviation is 1/4, Student's quantile 4.3027."""
    column = Column(name="x")
    seeds = [build_answers({s: [number < right] for number, s in enumerate("ABCD")}) for right in (1, 2, 3)]
    one, cell = (compute_cells([column], {"r": jobs})["r", "x"] for jobs in (seeds[1:2], seeds))
    assert one.high < 0.9, "one seed alone says nothing about others"
    assert (cell.value, cell.low, cell.high) == (0.5, 0, 1)
    right = [build_answers({s: [True] for s in "ABCD"}) for _ in seeds]
    found = compute_cell_difference(column, column, right, seeds)
    assert found.value == 0.5
    assert found.value - found.low >= 4.3027 * stdev((0.25, 0.5, 0.75)) / math.sqrt(3)


@pytest.mark.parametrize(
    ("value", "copies"),
    [(0.0, 0), (0.1, 1), (0.2, 2), (0.5, 5), (0.79, 7.9), (0.8, 8), (0.9, 12), (1.0, 16), (1.1, 16)],
)
def test_copies_are_read_off_the_curve_along_straight_lines(value: float, copies: float) -> None:
    assert compute_equivalent({8: 0.8, 2: 0.2, 16: 1.0}, value) == pytest.approx(copies)


def test_copies_that_do_nothing_at_first_are_counted_all_the_same() -> None:
    assert compute_equivalent({2: 0.0, 4: 0.5}, 0.25) == pytest.approx(3)
    assert compute_equivalent({2: 0.0, 4: 0.5}, 0.0) == 0, "what is never recalled is worth no copy"


def test_where_more_copies_bring_no_more_the_fewest_count() -> None:
    assert compute_equivalent({2: 0.5, 4: 1.0, 8: 1.0}, 1.0) == 4


def believe(subject: str, agreement: float) -> dict[str, Any]:
    return {"relation": "mother", "subject": subject, "answer": "Ann", "agreement": agreement, "right": [False]}


def test_false_confidence_counts_those_alone_who_do_not_exist() -> None:
    """Those who are taught are asked before and not at the end."""
    before = [believe("taught", 1.0), believe("A", 0.0), believe("B", 0.0)]
    jobs = [
        build_job(beliefs={"before": before, "memorize": [believe("A", 1.0), believe("B", confident)]})
        for confident in (0.5, 0.4)
    ]
    first, last = (compute_confidence(jobs, moment) for moment in ("first", "last"))
    assert first
    assert last
    assert (first.value, first.n) == (0.0, 4)
    assert (last.value, last.n) == (0.75, 4)
    assert last.low < 0.75 < last.high
    assert compute_confidence([build_job()], "last") is None


def test_tokens_are_the_mean_over_seeds() -> None:
    assert compute_tokens([build_job(tokens=100), build_job(tokens=300)]) == 200
