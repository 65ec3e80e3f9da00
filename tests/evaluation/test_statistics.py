"""Intervals against numbers computed by hand, and against how often they cover the truth."""

import math
from statistics import stdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rote.evaluation.statistics import SHARE, Values, add_seeds, compute_difference, compute_interval, compute_mean
from rote.figures import Z95, Figure, compute_t95

VALUES = st.lists(st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 1.0]), st.integers(0, 5)), min_size=1, max_size=40)


@given(VALUES)
def test_the_mean_lies_in_its_interval_and_the_interval_in_0_to_1(pairs: list[tuple[float, int]]) -> None:
    interval = compute_interval([value for value, _ in pairs], [cluster for _, cluster in pairs])
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.n == len(pairs)
    assert interval.low < interval.high


@given(VALUES)
def test_the_order_of_questions_does_not_matter(pairs: list[tuple[float, int]]) -> None:
    one = compute_interval([value for value, _ in pairs], [cluster for _, cluster in pairs])
    other = compute_interval([value for value, _ in pairs[::-1]], [f"fact {cluster}" for _, cluster in pairs[::-1]])
    assert (one.low, one.value, one.high) == pytest.approx((other.low, other.value, other.high), abs=1e-6)


def test_asking_every_fact_again_in_the_same_way_adds_nothing() -> None:
    values = [1.0] * 30 + [0.0] * 20
    once = compute_interval(values, range(50))
    often = compute_interval(values * 10, list(range(50)) * 10)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.01)
    assert compute_interval(values * 10, range(500)).high < once.high


def test_where_all_are_right_the_number_of_facts_decides() -> None:
    interval = compute_interval([1.0] * 400, [number % 100 for number in range(400)])
    assert interval.high == 1
    assert interval.low == pytest.approx(100 / (100 + 1.959964**2), abs=1e-6)  # Wilson with n = 100


def test_single_questions_give_wilsons_interval() -> None:
    interval = compute_interval([1.0] * 40 + [0.0] * 60, range(100))
    assert (interval.low, interval.high) == pytest.approx((0.309, 0.498), abs=2e-3)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_interval_covers_the_truth_for_clustered_answers(share: float) -> None:
    rng = np.random.default_rng(5)
    facts, questions, covered, runs = 60, 5, 0, 1500
    clusters = np.repeat(np.arange(facts), questions)
    for _ in range(runs):
        skill = rng.beta(2 * share, 2 * (1 - share), size=facts)  # a fact is known well or badly: correlated answers
        values = (rng.random(facts * questions) < np.repeat(skill, questions)).astype(float)
        interval = compute_interval(values.tolist(), clusters.tolist())
        covered += interval.low <= share <= interval.high
    assert covered / runs >= 0.93


@pytest.mark.parametrize("values", [[], [1.5], [float("nan")]])
def test_values_that_are_no_shares_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        compute_interval(values, range(len(values)))


# --- differences -----------------------------------------------------------------------------------------------------


def test_a_difference_of_pairs_is_that_of_the_facts() -> None:
    """Differences 1, 0, 1, 0: mean 1/2, variance 1/3, so the error of the mean is sqrt(1/3 / 4)."""
    figure = compute_difference({"a": [1], "b": [1], "c": [1], "d": [0]}, {"a": [0], "b": [1], "c": [0], "d": [0]})
    assert figure.value == pytest.approx(0.5)
    assert figure.value - figure.low == pytest.approx(compute_t95(3) * math.sqrt(1 / 12))
    assert figure.high == 1, "and not more"
    assert figure.n == 4


def test_a_difference_of_other_facts_adds_both_errors() -> None:
    """Means 1/2 and 1/4; residuals 1/4 (two, of facts with one of two values) and 1/16, 1/16, 1/16, 3/16."""
    figure = compute_difference({"a": [1], "b": [0]}, {"c": [0], "d": [0], "e": [0], "f": [1]})
    assert figure.value == pytest.approx(0.25)
    variance = 6 / 5 * (2 * 0.25**2 + 3 * 0.0625**2 + 0.1875**2)
    assert figure.value - figure.low == pytest.approx(compute_t95(5) * math.sqrt(variance))
    assert figure.n == 2


def test_facts_asked_more_often_weigh_more() -> None:
    """Means 3/4 and 0; facts a and b have the residuals (3 - 3 * 3/4) / 4 and (0 - 3/4) / 4."""
    figure = compute_difference({"a": [1, 1, 1], "b": [0]}, {"a": [0], "b": [0]})
    assert figure.value == pytest.approx(0.75)
    assert figure.value - figure.low == pytest.approx(min(1.75, compute_t95(1) * math.sqrt(2 * (2 * (3 / 16) ** 2))))


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


BY_FACT = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.floats(0, 1), min_size=1, max_size=3), min_size=1)


@given(BY_FACT, BY_FACT)
def test_a_difference_turns_its_sign_with_its_sides(
    first: dict[Any, list[float]], second: dict[Any, list[float]]
) -> None:
    there, back = compute_difference(first, second), compute_difference(second, first)
    assert there.value == pytest.approx(-back.value, abs=1e-12)
    assert there.low == pytest.approx(-back.high, abs=1e-12)
    assert there.low <= there.value <= there.high


def test_a_difference_on_another_scale_is_not_cut_off() -> None:
    """Falls of 30, 10 and 20: mean 20, standard deviation 10."""
    figure = compute_difference({"a": [67.5], "b": [40], "c": [50]}, {"a": [37.5], "b": [30], "c": [30]}, shares=False)
    assert figure.value == pytest.approx(20)
    assert figure.high - figure.value == pytest.approx(compute_t95(2) * 10 / math.sqrt(3))
    assert figure.value - figure.low == pytest.approx(figure.high - figure.value)


# --- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (30, 2.04227), (120, 1.97993)],
)
def test_students_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert compute_t95(degrees) == pytest.approx(quantile, rel=1e-5)


def test_student_becomes_normal() -> None:
    assert Z95 < compute_t95(10**6) < compute_t95(500) < Z95 + 0.01


def test_the_errors_of_facts_and_seeds_add_up_as_independent_ones_do() -> None:
    figure = add_seeds(Figure(0.5, 0.47, 0.53, 9), [0.49, 0.5, 0.51], within=SHARE)
    assert figure.high - 0.5 == pytest.approx(math.hypot(0.03, 4.30265 * 0.01 / math.sqrt(3)), rel=1e-5)
    assert add_seeds(Figure(0.5, 0.4, 0.6, 9), [0.5], within=SHARE) == Figure(0.5, 0.4, 0.6, 9)
    assert add_seeds(Figure(0.5, 0.4, 0.6, 9), [0.1, 0.9], within=SHARE) == Figure(0.5, 0, 1, 9)


RUNS, FACTS, SHARE_RIGHT = 400, 100, 0.7


def measure_coverage(seeds: int, spread: float, *, naive: bool) -> float:
    """How often the interval of a cell holds the truth, where models of other seeds know more or less by `spread`."""
    rng = np.random.default_rng(seeds)
    covered = 0
    for _ in range(RUNS):
        shares = np.clip(SHARE_RIGHT + rng.normal(0, spread, size=(seeds, 1)), 0, 1)
        answers = (rng.random((seeds, FACTS)) < shares).astype(float)
        figure = compute_mean({fact: answers[:, fact].tolist() for fact in range(FACTS)})
        means = answers.mean(axis=1).tolist()
        if naive:
            margin = Z95 * stdev(means) / math.sqrt(seeds)
            figure = Figure(0, min(figure.low, figure.value - margin), max(figure.high, figure.value + margin), 0)
        else:
            figure = add_seeds(figure, means, within=SHARE)
        covered += figure.low <= SHARE_RIGHT <= figure.high
    return covered / RUNS


@pytest.mark.parametrize("seeds", [2, 3])
@pytest.mark.parametrize("spread", [0.03, 0.06, 0.10])
def test_the_interval_over_seeds_covers_the_truth(seeds: int, spread: float) -> None:
    assert measure_coverage(seeds, spread, naive=False) >= 0.93


@pytest.mark.parametrize("seeds", [2, 3])
def test_the_quantile_of_the_normal_distribution_would_not(seeds: int) -> None:
    assert measure_coverage(seeds, 0.06, naive=True) < 0.93
