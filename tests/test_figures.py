"""How a figure is judged, written and stored."""

import math

import pytest

from rote.figures import Figure, build_figure_row, format_figure, judge, read_figure, read_number


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.01, 0.02, "holds"), (0.01, 0.03, "open"), (0.02, 0.021, "open"), (0.021, 0.03, "does not hold")],
)
def test_an_upper_bound_is_held_by_the_whole_interval(low: float, high: float, verdict: str) -> None:
    assert judge(Figure(0.02, low, high, 9), at_most=0.02) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.5, 0.6, "holds"), (0.49, 0.9, "open"), (0.1, 0.5, "open"), (0.1, 0.49, "does not hold")],
)
def test_a_lower_bound_is_reached_by_the_whole_interval(low: float, high: float, verdict: str) -> None:
    assert judge(Figure(0.5, low, high, 9), at_least=0.5) == verdict


def test_a_figure_without_an_interval_is_judged_and_written_as_it_is() -> None:
    figure = Figure(0.5, 0.5, 0.5, 3)
    assert judge(figure, at_least=0.5) == judge(figure, at_most=0.5) == "holds"
    assert judge(figure, at_least=0.51) == judge(figure, at_most=0.49) == "does not hold"
    assert format_figure(figure) == "0.500"


def test_a_figure_is_written_with_its_interval_and_never_as_minus_nothing() -> None:
    assert format_figure(Figure(0.75, 0.6123, 0.8514, 9)) == "0.750 [0.612, 0.851]"
    assert format_figure(Figure(-0.0001, -0.5, 0.25, 9), "+z.3f") == "+0.000 [-0.500, +0.250]"


def test_a_row_comes_back_as_the_figure_it_was() -> None:
    figure = Figure(0.125, -0.25, 0.5, 7)
    assert build_figure_row(figure) == {"mean": 0.125, "low": -0.25, "high": 0.5, "n": 7}
    assert read_figure(build_figure_row(figure)) == figure
    assert read_figure({"mean": 0.125, "low": None, "n": 7}) == Figure(0.125, 0.125, 0.125, 7)
    assert read_figure({"mean": float("nan"), "n": 7}) is None


@pytest.mark.parametrize("value", [None, True, "1", math.nan, math.inf, 10**400, -(10**400)])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert read_number(value) is None
    assert read_number(7) == 7.0
