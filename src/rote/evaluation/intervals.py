"""A mean with its 95% interval. Questions about one fact are not independent, so facts are the clusters. No torch.

The variance of the mean over facts gives the number of independent questions that would have the same variance (Korn
and Graubard, 1998); that number goes into Wilson's interval, which stays inside [0, 1] and is wide where all answers
are right or all are wrong.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of `n` values in [0, 1] with its 95% interval; `low <= mean <= high`."""

    mean: float
    low: float
    high: float
    n: int


def compute_interval(values: Sequence[float], clusters: Sequence[Hashable]) -> Interval:
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
    return Interval(mean, min(low, mean), max(high, mean), len(values))


def _compute_effective_size(values: NDArray[np.float64], groups: NDArray[np.int_], mean: float) -> float:
    """How many independent yes-no questions would give the variance that the cluster means show."""
    count = int(groups.max()) + 1
    if count == 1:
        return 1.0
    residuals = np.bincount(groups, weights=values - mean)
    variance = count / (count - 1) * float((residuals**2).sum()) / len(values) ** 2
    if variance <= 1e-15:  # nothing varies between facts: then each fact counts once
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
