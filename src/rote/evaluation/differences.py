"""Means of figures by fact and differences between them, with 95% intervals over facts. No torch."""

import math
from collections.abc import Hashable
from dataclasses import dataclass

from rote.evaluation.intervals import Z95, Interval, compute_interval

_NO_VARIANCE = 1e-15

Values = dict[Hashable, list[float]]
"""The values of a figure by fact."""


@dataclass(frozen=True)
class Figure:
    """A number with its 95% interval; unlike an `Interval` it may be a difference or a ratio."""

    value: float
    low: float
    high: float
    n: int


def compute_mean(values: Values) -> Interval:
    """The mean of values by fact; facts are the clusters."""
    flat = [(fact, value) for fact, found in values.items() for value in found]
    return compute_interval([value for _, value in flat], [fact for fact, _ in flat])


def compute_difference(first: Values, second: Values) -> Figure:
    """The mean of `first` less that of `second`, with an interval over facts; facts of both count as pairs."""
    facts = sorted({*first, *second}, key=str)
    sizes = [sum(len(found) for found in values.values()) for values in (first, second)]
    means = [
        math.fsum(v for found in values.values() for v in found) / size
        for values, size in zip((first, second), sizes, strict=True)
    ]
    residuals = [
        math.fsum(v - means[0] for v in first.get(fact, ())) / sizes[0]
        - math.fsum(v - means[1] for v in second.get(fact, ())) / sizes[1]
        for fact in facts
    ]
    count = len(facts)
    variance = count / max(1, count - 1) * math.fsum(residual**2 for residual in residuals)
    margin, value = Z95 * math.sqrt(variance), means[0] - means[1]
    if variance <= _NO_VARIANCE:  # all alike: not certain, but as uncertain as each side is by itself (Newcombe, 1998)
        one, other = compute_mean(first), compute_mean(second)
        low = value - math.hypot(one.mean - one.low, other.high - other.mean)
        return Figure(value, low, value + math.hypot(one.high - one.mean, other.mean - other.low), min(sizes))
    return Figure(value, max(-1.0, value - margin), min(1.0, value + margin), min(sizes))
