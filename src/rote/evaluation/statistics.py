"""Means and differences with their 95% intervals, over facts and over seeds. No torch.

Questions about one fact are not independent, so facts are the clusters. For a share the variance over facts gives the
number of independent questions that would have the same variance (Korn and Graubard, 1998); that number goes into
Wilson's interval, which stays inside [0, 1] and is wide where all answers are right or all are wrong.
"""

import math
from collections.abc import Hashable, Sequence
from statistics import stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.figures import Z95, Figure, compute_t95

_NO_VARIANCE = 1e-15

Values = dict[Any, list[float]]
"""The values of a figure by fact."""
Bounds = tuple[float, float]
"""Between which numbers a figure can lie."""
SHARE: Bounds = (0.0, 1.0)
DIFFERENCE: Bounds = (-1.0, 1.0)
UNBOUNDED: Bounds = (-math.inf, math.inf)


def compute_interval(values: Sequence[float], clusters: Sequence[Hashable]) -> Figure:
    """The mean of `values` (each in [0, 1]) with an interval over clusters; both sequences have the same length.

    Raises `ValueError` without values, or for a value outside [0, 1].
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 or not ((array >= 0) & (array <= 1)).all():
        raise ValueError("an interval needs values, each between 0 and 1")
    numbers: dict[Hashable, int] = {}
    groups = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters])
    mean = min(1.0, math.fsum(values) / len(values))
    size = _compute_effective_size(array, groups, mean)
    low, high = _compute_wilson(mean, size)
    return Figure(mean, min(low, mean), max(high, mean), len(values))


def compute_mean(values: Values) -> Figure:
    """The mean of values in [0, 1] by fact; raises `ValueError` without values, or for one that is no share."""
    flat = [(fact, value) for fact, found in values.items() for value in found]
    return compute_interval([value for _, value in flat], [fact for fact, _ in flat])


def compute_average(values: Values) -> float:
    """The plain mean of all values; raises `ValueError` without any."""
    flat = [value for found in values.values() for value in found]
    if not flat:
        raise ValueError("no records for this figure")
    return math.fsum(flat) / len(flat)


def compute_difference(first: Values, second: Values, *, shares: bool = True) -> Figure:
    """The mean of `first` less that of `second`, with an interval over facts; facts of both count as pairs.

    With `shares` the values are in [0, 1], and the interval of the difference stays inside [-1, 1]; without, they have
    any scale. Raises `ValueError` where one side has no values.
    """
    means = compute_average(first), compute_average(second)
    value, size = means[0] - means[1], min(_count(first), _count(second))
    facts = sorted({*first, *second}, key=str)
    residuals = [
        math.fsum(v - means[0] for v in first.get(fact, ())) / _count(first)
        - math.fsum(v - means[1] for v in second.get(fact, ())) / _count(second)
        for fact in facts
    ]
    degrees = max(1, len(facts) - 1)
    variance = len(facts) / degrees * math.fsum(residual**2 for residual in residuals)
    if shares and variance <= _NO_VARIANCE:
        return _combine_sides(compute_mean(first), compute_mean(second), size)
    margin = compute_t95(degrees) * math.sqrt(variance)
    return _clip(value, value - margin, value + margin, size, DIFFERENCE if shares else UNBOUNDED)


def add_seeds(figure: Figure, means: Sequence[float], *, within: Bounds) -> Figure:
    """A figure over facts, whose interval covers the seeds too; `means` are the figures of each seed alone.

    The interval of the seeds is Student's: with two or three of them the 1.96 of the normal distribution would cover
    the truth in 80% of cases and not in 95%. (A bootstrap would draw anew from the same two or three.) It is added to
    that of the facts as independent errors are; one seed says nothing about others.
    """
    if len(means) < 2:
        return figure
    margin = compute_t95(len(means) - 1) * stdev(means) / math.sqrt(len(means))
    low = figure.value - math.hypot(figure.value - figure.low, margin)
    return _clip(figure.value, low, figure.value + math.hypot(figure.high - figure.value, margin), figure.n, within)


def average_seeds(figures: Sequence[Figure], *, within: Bounds) -> Figure:
    """The mean of one figure over seeds that each asked about facts of their own, its interval over facts and seeds.

    Raises `ValueError` without figures.
    """
    if not figures:
        raise ValueError("no figures to take the mean of")
    count, means = len(figures), [figure.value for figure in figures]
    value = math.fsum(means) / count
    low = value - math.hypot(*(figure.value - figure.low for figure in figures)) / count
    high = value + math.hypot(*(figure.high - figure.value for figure in figures)) / count
    return add_seeds(Figure(value, low, high, sum(figure.n for figure in figures)), means, within=within)


def _combine_sides(first: Figure, second: Figure, size: int) -> Figure:
    """A difference in which no fact differs from another: as uncertain as each side by itself (Newcombe, 1998)."""
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    return Figure(value, low, value + math.hypot(first.high - first.value, second.value - second.low), size)


def _clip(value: float, low: float, high: float, n: int, within: Bounds) -> Figure:
    return Figure(value, min(value, max(within[0], low)), max(value, min(within[1], high)), n)


def _count(values: Values) -> int:
    return sum(len(found) for found in values.values())


def _compute_effective_size(values: NDArray[np.float64], groups: NDArray[np.int_], mean: float) -> float:
    """How many independent yes-no questions would give the variance that the cluster means show."""
    count = int(groups.max()) + 1
    if count == 1:
        return 1.0
    residuals = np.bincount(groups, weights=values - mean)
    variance = count / (count - 1) * float((residuals**2).sum()) / len(values) ** 2
    if variance <= _NO_VARIANCE:  # nothing varies between facts: then each fact counts once
        return float(count)
    size = max(1.0, mean * (1 - mean) / variance)
    # Yes-no answers hold no more information than their number; facts that happen to agree must not claim more.
    return min(size, float(len(values))) if ((values == 0) | (values == 1)).all() else size


def _compute_wilson(mean: float, size: float) -> tuple[float, float]:
    """Wilson's score interval for a share `mean` of `size` questions."""
    square = Z95**2
    centre = (mean + square / (2 * size)) / (1 + square / size)
    margin = Z95 / (1 + square / size) * math.sqrt(mean * (1 - mean) / size + square / (4 * size**2))
    return max(0.0, centre - margin), min(1.0, centre + margin)
