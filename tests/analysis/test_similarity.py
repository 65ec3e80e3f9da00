"""Cosines, their separation and a projection, against numbers worked out by hand."""

import math
import subprocess
import sys

import numpy as np
import pytest

from rote.analysis.similarity import (
    compute_cosines,
    compute_delta_cossim,
    compute_pairwise_cossim,
    estimate_delta,
    estimate_mean,
    has_both_pairs,
    project,
)

HALF = math.sqrt(0.5)


def test_pairwise_cosines() -> None:
    first = np.array([[1, 0], [1, 1], [2, 0], [0, 0]], dtype=np.float32)
    second = np.array([[3, 0], [1, 0], [-1, 0], [1, 1]], dtype=np.float32)

    assert compute_pairwise_cossim(first, second) == pytest.approx([1, HALF, -1, 0])
    with pytest.raises(ValueError, match="no pairs"):
        compute_pairwise_cossim(first, second[:1])


def test_delta_is_the_mean_within_minus_the_mean_between() -> None:
    states = np.array([[1, 0], [1, 1], [0, 1], [0, 5]], dtype=np.float32)
    within, between = (HALF + 1) / 2, (0 + 0 + HALF + HALF) / 4

    assert compute_delta_cossim(states, "aabb") == pytest.approx(within - between)


def test_delta_of_groups_of_unequal_size_counts_every_pair_once() -> None:
    states = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)

    assert compute_delta_cossim(states, "aaab") == pytest.approx((1 + 0 + 0) / 3 - (0 + 0 + 1) / 3)


def test_delta_grows_when_a_group_is_moved_together() -> None:
    rng = np.random.default_rng(0)
    states, groups = rng.normal(size=(40, 16)), ["a"] * 20 + ["b"] * 20
    moved = states + np.where(np.arange(40)[:, None] < 20, 2.0, -2.0)

    assert abs(compute_delta_cossim(states, groups)) < 0.05
    assert compute_delta_cossim(moved, groups) > 1


@pytest.mark.parametrize("groups", ["aaaa", "abcd"])
def test_delta_needs_pairs_of_both_kinds(groups: str) -> None:
    assert not has_both_pairs(groups)
    with pytest.raises(ValueError, match="at least two groups"):
        compute_delta_cossim(np.eye(4), groups)


def test_the_interval_of_delta_holds_the_value_and_is_the_same_every_time() -> None:
    states, groups = np.random.default_rng(1).normal(size=(30, 8)) + 0.5, ["a", "b", "c"] * 10
    cosines = compute_cosines(states)
    estimate = estimate_delta(cosines, groups, seed=3)

    assert estimate.low < estimate.value < estimate.high
    assert estimate == estimate_delta(cosines, groups, seed=3)
    assert estimate.value == pytest.approx(compute_delta_cossim(states, groups))


def test_a_member_drawn_twice_is_not_its_own_neighbour() -> None:
    estimate = estimate_delta(np.eye(6), "aaabbb")  # no two are alike, so whoever is drawn, nothing is

    assert (estimate.low, estimate.value, estimate.high) == (0, 0, 0)


def test_the_interval_of_a_mean_is_students() -> None:
    estimate = estimate_mean(np.array([0.1, 0.3, 0.1, 0.3]))
    margin = 3.18244631 * math.sqrt(0.04 / 3) / math.sqrt(4)

    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.2, 0.2 - margin, 0.2 + margin))
    assert estimate_mean(np.array([0.2, 1.0])).high == 1
    assert (estimate_mean(np.array([0.5])).low, estimate_mean(np.array([0.5])).high) == (-1, 1)
    with pytest.raises(ValueError, match="at least one"):
        estimate_mean(np.array([]))


def test_the_projection_of_a_plane_keeps_its_distances() -> None:
    states = np.array([[2, 0, 7], [-2, 0, 7], [0, 1, 7], [0, -1, 7]], dtype=np.float32)
    places, shares = project(states)

    assert np.abs(places) == pytest.approx(np.array([[2, 0], [2, 0], [0, 1], [0, 1]]))
    assert shares == pytest.approx([0.8, 0.2])
    assert places[0, 0] == pytest.approx(2)  # the sign is fixed
    assert project(-states)[0][1, 0] == pytest.approx(2)


def test_states_that_are_all_the_same_project_on_one_place() -> None:
    places, shares = project(np.ones((3, 4)))

    assert not places.any()
    assert not shares.any()
    with pytest.raises(ValueError, match="3 components"):
        project(np.ones((2, 4)), 3)


def test_no_torch_is_loaded() -> None:
    code = "import sys, rote.analysis.similarity, rote.report.scatter; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
