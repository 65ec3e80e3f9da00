"""`Figure`: a number with its 95% interval; how it is written, stored and judged. No torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypedDict

Verdict = Literal["holds", "open", "does not hold"]

Z95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""
DIGITS = 6
"""Decimals of a figure in JSON files."""
_MANY = 1000
"""With so many degrees of freedom Student's distribution is the normal one (1.9623 against 1.9600)."""


class FigureRow(TypedDict):
    """A figure as JSON files have it; an interval has two ends that differ."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95% interval, from `n` questions; a share, a difference, a ratio or nats per token.

    `low <= value <= high`; all three are the same where there is no interval.
    """

    value: float
    low: float
    high: float
    n: int


def judge(figure: Figure, *, at_least: float | None = None, at_most: float | None = None) -> Verdict:
    """Whether a figure reaches a bound: `holds` when its whole interval does, `does not hold` when none of it does.

    Where the interval crosses the bound the question is `open`. Exactly one bound is given.
    """
    if at_most is not None:
        return "holds" if figure.high <= at_most else "does not hold" if figure.low > at_most else "open"
    assert at_least is not None
    return "holds" if figure.low >= at_least else "does not hold" if figure.high < at_least else "open"


def format_figure(figure: Figure, form: str = "z.3f") -> str:
    """A figure with its interval, where it has one: `0.750 [0.612, 0.851]`; `form` is the format of each number."""
    text = format(figure.value, form)
    if figure.low >= figure.high:
        return text
    return f"{text} [{format(figure.low, form)}, {format(figure.high, form)}]"


def build_figure_row(figure: Figure) -> FigureRow:
    """The four keys that every row of figures has."""
    mean, low, high = (round(number, DIGITS) for number in (figure.value, figure.low, figure.high))
    return {"mean": mean, "low": low, "high": high, "n": figure.n}


def read_figure(row: Mapping[str, Any]) -> Figure | None:
    """The figure of a row, without an interval where the row has none; None where its mean is no finite number.

    Raises `KeyError` for a row without a mean or a number of questions.
    """
    mean, low, high = (read_number(value) for value in (row["mean"], row.get("low"), row.get("high")))
    if mean is None:
        return None
    low, high = (mean, mean) if low is None or high is None else (low, high)
    return Figure(mean, low, high, int(row["n"] or 0))


@lru_cache
def compute_t95(degrees: int) -> float:
    """The 97.5th percentile of Student's distribution with so many (at least 1) degrees of freedom.

    The distribution function has a closed form for whole degrees (Abramowitz and Stegun, 26.7.3 and 26.7.4); it is
    solved by halving an interval.
    """
    low, high = 0.0, 16.0  # the largest quantile is 12.7, with one degree
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _compute_mass(middle, min(degrees, _MANY)) < 0.95 else (low, middle)
    return high


def _compute_mass(t: float, degrees: int) -> float:
    """How likely a value of Student's distribution lies between -t and t."""
    angle = math.atan(t / math.sqrt(degrees))
    square, odd = math.cos(angle) ** 2, degrees % 2
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for step in range(1, degrees // 2 + 1):
        total += term
        term *= square * (2 * step / (2 * step + 1) if odd else (2 * step - 1) / (2 * step))
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def read_number(value: Any) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer may have any number of digits
        return None
    return number if math.isfinite(number) else None
