"""Average accuracy, forgetting and backward transfer, by hand."""

import pytest

from rote.evaluation.continual import compute_measures


def test_the_measures_are_those_of_their_papers() -> None:
    found = compute_measures([[0.8], [0.9, 0.6], [0.5, 0.7, 1.0]])
    assert found.average_accuracy == pytest.approx((0.5 + 0.7 + 1.0) / 3)
    assert found.forgetting == pytest.approx(((0.9 - 0.5) + (0.6 - 0.7)) / 2), "from the best before, not the first"
    assert found.backward_transfer == pytest.approx(((0.5 - 0.8) + (0.7 - 0.6)) / 2)


def test_one_table_has_nothing_to_forget() -> None:
    found = compute_measures([[0.8]])
    assert (found.average_accuracy, found.forgetting, found.backward_transfer) == (0.8, None, None)
    assert compute_measures([]).average_accuracy is None


def test_what_was_not_asked_is_left_out() -> None:
    found = compute_measures([[None], [0.9, 0.6], [0.7, None, 0.5]])
    assert found.average_accuracy == pytest.approx(0.6)
    assert found.forgetting == pytest.approx(0.2)
    assert found.backward_transfer is None, "of the first table it is not known how it began"
