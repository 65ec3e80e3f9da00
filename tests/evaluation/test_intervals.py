import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rote.evaluation.intervals import compute_interval

VALUES = st.lists(st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 1.0]), st.integers(0, 5)), min_size=1, max_size=40)


@given(VALUES)
def test_the_mean_lies_in_its_interval_and_the_interval_in_0_to_1(pairs: list[tuple[float, int]]) -> None:
    interval = compute_interval([value for value, _ in pairs], [cluster for _, cluster in pairs])
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    assert interval.n == len(pairs)
    assert interval.low < interval.high


@given(VALUES)
def test_the_order_of_questions_does_not_matter(pairs: list[tuple[float, int]]) -> None:
    one = compute_interval([value for value, _ in pairs], [cluster for _, cluster in pairs])
    other = compute_interval([value for value, _ in pairs[::-1]], [f"fact {cluster}" for _, cluster in pairs[::-1]])
    assert (one.low, one.mean, one.high) == pytest.approx((other.low, other.mean, other.high), abs=1e-6)


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
    facts, questions, covered, runs = 60, 5, 0, 600
    clusters = np.repeat(np.arange(facts), questions)
    for _ in range(runs):
        skill = rng.beta(2 * share, 2 * (1 - share), size=facts)  # a fact is known well or badly: correlated answers
        values = (rng.random(facts * questions) < np.repeat(skill, questions)).astype(float)
        interval = compute_interval(values.tolist(), clusters.tolist())
        covered += interval.low <= share <= interval.high
    assert covered / runs >= 0.9


@pytest.mark.parametrize("values", [[], [1.5], [float("nan")]])
def test_values_that_are_no_shares_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        compute_interval(values, range(len(values)))
