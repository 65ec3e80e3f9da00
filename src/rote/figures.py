"""`Figure`: a number with its 95% interval, and the one judge of figures. No torch."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "open", "does not hold"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95% interval, from `n` questions; a share, a difference, a ratio or nats per token."""

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
