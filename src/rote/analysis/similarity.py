"""How alike states are: cosines, how far groups lie apart, and a projection on a plane. No torch.

Everything is computed in float64; a state of length zero is like nothing, its cosines are 0.
"""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.figures import Figure, compute_t95

Array = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]

DRAWS = 200
"""How often facts are drawn anew for an interval."""


def compute_cosines(states: Array) -> Floats:
    """The cosine of every state with every other, [n, n], from states [n, width]."""
    unit = _normalize(states)
    cosines: Floats = unit @ unit.T
    return cosines


def compute_pairwise_cossim(first: Array, second: Array) -> Floats:
    """The cosine of each state with its partner, [n], from two arrays [n, width] (the paper's CosSim).

    Raises `ValueError` for arrays of different shapes.
    """
    if first.shape != second.shape:
        raise ValueError(f"states of shapes {first.shape} and {second.shape} are no pairs")
    cosines: Floats = (_normalize(first) * _normalize(second)).sum(axis=-1)
    return cosines


def compute_delta_cossim(states: Array, groups: Sequence[Hashable]) -> float:
    """The mean cosine of two members of a group minus that of members of two groups (the paper's Delta-CosSim).

    `states` [n, width] with the group of each. Every pair counts once, so a larger group counts for more; no state is
    paired with itself. Raises `ValueError` where there is no pair of one of the two kinds (see `has_both_pairs`).
    """
    return estimate_delta(compute_cosines(states), groups, draws=0).value


def has_both_pairs(groups: Sequence[Hashable]) -> bool:
    """Whether there are two groups, and two members in one of them: without, there is no Delta-CosSim."""
    return 1 < len(set(groups)) < len(groups)


def estimate_delta(cosines: Floats, groups: Sequence[Hashable], *, draws: int = DRAWS, seed: int = 0) -> Figure:
    """Delta-CosSim from cosines [n, n], with the percentile interval of a bootstrap over the members.

    Members are drawn within their groups, since the groups are given and not a sample; a member drawn twice is not
    paired with itself, which would raise the mean within. Raises `ValueError` where one
    of the two kinds of pairs is missing.
    """
    if not has_both_pairs(groups):
        raise ValueError("Delta-CosSim needs at least two groups, one of them with two members")
    codes = _number_groups(groups)
    weights = np.concatenate([np.ones((1, len(codes))), _draw_weights(codes, draws, seed)])
    same = codes[:, None] == codes
    within = _average_pairs(cosines, same & ~np.eye(len(codes), dtype=bool), weights)
    deltas = within - _average_pairs(cosines, ~same, weights)
    value, drawn = float(deltas[0]), deltas[1:][~np.isnan(deltas[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn.size else (value, value)
    return Figure(value, min(float(low), value), max(float(high), value), len(groups))


def estimate_mean(values: Array) -> Figure:
    """The mean of cosines [n], one for each fact, with Student's 95% interval; it stays inside [-1, 1].

    One fact says nothing about others: its interval is the whole range. Raises `ValueError` without values.
    """
    if values.size == 0:
        raise ValueError("a mean needs at least one value")
    mean = float(values.mean(dtype=np.float64))
    if values.size == 1:
        return Figure(mean, -1.0, 1.0, 1)
    error = float(values.std(ddof=1, dtype=np.float64)) / math.sqrt(values.size)
    margin = compute_t95(values.size - 1) * error
    return Figure(mean, max(-1.0, mean - margin), min(1.0, mean + margin), values.size)


def project(states: Array, components: int = 2) -> tuple[Floats, Floats]:
    """The states on their first principal components, [n, components], and the share of variance of each.

    Signs are fixed (the largest weight of a component is positive), so that two runs give the same picture. Raises
    `ValueError` for more components than there are states or dimensions.
    """
    if not 1 <= components <= min(states.shape):
        raise ValueError(f"{components} components cannot be taken from states of shape {states.shape}")
    centred = states - states.mean(axis=0, dtype=np.float64)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    kept = axes[:components]
    kept = kept * np.where(kept[np.arange(components), np.abs(kept).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
    variance = singular**2
    shares: Floats = variance[:components] / (variance.sum() or 1.0)
    return centred @ kept.T, shares


def _normalize(states: Array) -> Floats:
    exact = states.astype(np.float64)
    norms = np.linalg.norm(exact, axis=-1, keepdims=True)
    unit: Floats = exact / np.where(norms > 0, norms, 1.0)
    return unit


def _number_groups(groups: Sequence[Hashable]) -> NDArray[np.int_]:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups])


def _draw_weights(codes: NDArray[np.int_], draws: int, seed: int) -> Floats:
    """How often each member is drawn, [draws, n]; every group keeps its size."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((draws, len(codes)))
    for code in range(int(codes.max()) + 1):
        members = np.flatnonzero(codes == code)
        weights[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=draws)
    return weights


def _average_pairs(cosines: Floats, pairs: NDArray[np.bool_], weights: Floats) -> Floats:
    """The weighted mean cosine over the pairs marked in [n, n], for each row of weights; NaN where no pair is left."""
    total = ((weights @ (cosines * pairs)) * weights).sum(axis=1)
    count = ((weights @ pairs) * weights).sum(axis=1)
    means: Floats = np.divide(total, count, out=np.full(len(weights), np.nan), where=count > 0)
    return means
