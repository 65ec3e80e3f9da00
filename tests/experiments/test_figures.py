"""Figures against numbers computed by hand."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.experiments.conftest import build_answers, build_record, build_trial

from rote.evaluation.differences import Values, compute_difference
from rote.evaluation.intervals import Z95
from rote.experiments.experiment import Column, Experiment, State
from rote.experiments.figures import (
    collect_values,
    compute_cells,
    compute_equivalent,
    compute_state,
    compute_tokens,
)

# --- which records count ---------------------------------------------------------------------------------------------


def collect(column: Column, *records: Any, **outcome: Any) -> dict[str, list[float]]:
    """The values by subject."""
    return {key[1]: found for key, found in collect_values(column, [build_trial(*records, **outcome)]).items()}  # type: ignore[index]


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


def test_labels_select_the_groups_of_facts_trial_by_trial() -> None:
    records = [build_record("A", True), build_record("B", False), build_record("B", True, relation="capital")]
    column = Column(name="x", label=("shown",))
    first = build_trial(*records, labels={"mother/A": "shown", "mother/B": "left out"})
    second = build_trial(*records, labels={"mother/A": "left out", "mother/B": "shown", "capital/B": "shown"})
    assert collect_values(column, [first]) == {("mother", "A"): [1.0]}
    assert collect_values(column, [first, second]) == {
        ("mother", "A"): [1.0],
        ("mother", "B"): [0.0],
        ("capital", "B"): [1.0],
    }
    assert collect_values(column, [build_trial(*records)]) == {}
    both = Column(name="x", label=("shown", "left out"))
    assert collect_values(both, [first]) == {("mother", "A"): [1.0], ("mother", "B"): [0.0]}


def test_a_cell_is_the_mean_over_all_seeds_and_there_is_none_where_nothing_was_asked() -> None:
    columns = (Column(name="held-out", fact_set=("held_out",)), Column(name="known", fact_set=("known",)))
    runs: dict[str, dict[str, Any]] = {"deep": {}}
    experiment = Experiment(title="", description="", minutes=1, runs=runs, columns=columns)
    seeds = [build_answers({"A": [True], "B": [False]}), build_answers({"A": [True], "B": [True]})]
    cells = compute_cells(experiment, {"deep": seeds})
    assert set(cells) == {("deep", "held-out")}
    cell = cells["deep", "held-out"]
    assert (cell.mean, cell.n) == (0.75, 4)
    assert cell.low < 0.75 < cell.high


# --- differences -----------------------------------------------------------------------------------------------------


def test_a_difference_of_pairs_is_that_of_the_facts() -> None:
    """Differences 1, 0, 1, 0: mean 1/2, variance 1/3, so the error of the mean is sqrt(1/3 / 4)."""
    figure = compute_difference({"a": [1], "b": [1], "c": [1], "d": [0]}, {"a": [0], "b": [1], "c": [0], "d": [0]})
    assert figure.value == pytest.approx(0.5)
    assert figure.value - figure.low == pytest.approx(Z95 * math.sqrt(1 / 12))
    assert figure.high == 1, "and not more"
    assert figure.n == 4


def test_a_difference_of_other_facts_adds_both_errors() -> None:
    """Means 1/2 and 1/4; residuals 1/4 (two, of facts with one of two values) and 1/16, 1/16, 1/16, 3/16."""
    figure = compute_difference({"a": [1], "b": [0]}, {"c": [0], "d": [0], "e": [0], "f": [1]})
    assert figure.value == pytest.approx(0.25)
    variance = 6 / 5 * (2 * 0.25**2 + 3 * 0.0625**2 + 0.1875**2)
    assert figure.value - figure.low == pytest.approx(Z95 * math.sqrt(variance))
    assert figure.n == 2


def test_facts_asked_more_often_weigh_more() -> None:
    """Means 3/4 and 0; facts a and b have the residuals (3 - 3 * 3/4) / 4 and (0 - 3/4) / 4."""
    figure = compute_difference({"a": [1, 1, 1], "b": [0]}, {"a": [0], "b": [0]})
    assert figure.value == pytest.approx(0.75)
    assert figure.value - figure.low == pytest.approx(Z95 * math.sqrt(2 * (2 * (3 / 16) ** 2)))


def test_paired_facts_narrow_the_interval() -> None:
    hard: Values = {str(number): [float(number % 2)] for number in range(20)}
    harder: Values = {**hard, "1": [0.0]}
    paired = compute_difference(hard, harder)
    apart = compute_difference(hard, {f"other {key}": value for key, value in harder.items()})
    assert paired.value == pytest.approx(apart.value) == pytest.approx(0.05)
    assert paired.high - paired.low < 0.5 * (apart.high - apart.low)


def test_a_difference_that_never_varies_is_not_certain() -> None:
    """One right of one against the same: each side alone is in [0.2065, 1] (Wilson)."""
    same = compute_difference({"a": [1.0]}, {"a": [1.0]})
    assert same.value == 0
    assert same.high == pytest.approx(1 - 0.2065, abs=1e-4)
    assert same.low == -same.high
    apart = compute_difference({"a": [1.0]}, {"a": [0.0]})
    assert (apart.value, apart.high) == (1, 1)
    assert apart.low == pytest.approx(1 - math.hypot(1 - 0.2065, 1 - 0.2065), abs=1e-4)


def test_a_difference_stays_within_its_bounds() -> None:
    figure = compute_difference({"a": [1], "b": [1], "c": [1]}, {"a": [0], "b": [0], "c": [1]})
    assert figure.high == 1 > figure.value


VALUES = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.floats(0, 1), min_size=1, max_size=3), min_size=1)


@given(VALUES, VALUES)
def test_a_difference_turns_its_sign_with_its_sides(
    first: dict[Any, list[float]], second: dict[Any, list[float]]
) -> None:
    there, back = compute_difference(first, second), compute_difference(second, first)
    assert there.value == pytest.approx(-back.value, abs=1e-12)
    assert there.low == pytest.approx(-back.high, abs=1e-12)
    assert there.low <= there.value <= there.high


# --- hidden states and tokens ----------------------------------------------------------------------------------------

STATE = State(run="deep", moment="memorize", measure="delta_cossim", prompt_set="key")


def build_row(value: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    about = {"moment": "memorize", "measure": "delta_cossim", "prompt_set": "key", "layer": -1, "n": 9}
    return {**about, "value": value, "low": low, "high": high, **changes}


def test_a_state_is_the_mean_over_seeds_with_an_interval_that_covers_them() -> None:
    others = [
        build_row(0.9, 0.9, 0.9, **changes)
        for changes in ({"moment": "before"}, {"measure": "key_similarity"}, {"prompt_set": "control"}, {"layer": 1})
    ]
    rows = ([build_row(0.4375, 0.375, 0.5), *others], [*others, build_row(0.5625, 0.3125, 0.625)])
    figure = compute_state(STATE, {"deep": [build_trial(representations=found) for found in rows]})
    assert figure is not None
    assert (figure.value, figure.low, figure.high, figure.n) == (0.5, 0.25, 0.75, 9)
    apart = [build_trial(representations=[build_row(value, value, value)]) for value in (0.25, 0.75)]
    wide = compute_state(STATE, {"deep": apart})
    assert wide is not None
    assert wide.high - wide.value == pytest.approx(Z95 * 0.25)  # of two values 0.5 apart
    assert compute_state(STATE, {"deep": [build_trial(representations=others)]}) is None


@pytest.mark.parametrize(
    ("value", "copies"),
    [(0.0, 0), (0.1, 1), (0.2, 2), (0.5, 5), (0.79, 7.9), (0.8, 8), (0.9, 12), (1.0, 16), (1.1, 16)],
)
def test_copies_are_read_off_the_curve_along_straight_lines(value: float, copies: float) -> None:
    assert compute_equivalent({8: 0.8, 2: 0.2, 16: 1.0}, value) == pytest.approx(copies)


def test_copies_that_do_nothing_at_first_are_counted_all_the_same() -> None:
    assert compute_equivalent({2: 0.0, 4: 0.5}, 0.25) == pytest.approx(3)
    assert compute_equivalent({2: 0.0, 4: 0.5}, 0.0) <= 2


def test_tokens_are_the_mean_over_seeds() -> None:
    assert compute_tokens([build_trial(tokens=100), build_trial(tokens=300)]) == 200
