"""How tables that are taught one after another are kept: average accuracy, forgetting and backward transfer. No torch.

With R[j][i] the accuracy on table i once table j was taught, and T tables, numbered from 1:

    average accuracy   the mean of R[T][i] over all tables (Lopez-Paz and Ranzato, 2017)
    forgetting         the mean over i < T of the best R[l][i] with i <= l < T, less R[T][i] (Chaudhry et al., 2018)
    backward transfer  the mean over i < T of R[T][i] - R[i][i] (Lopez-Paz and Ranzato, 2017, "GEM")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class ContinualMeasures:
    """The three numbers; None where there is nothing to take a mean of."""

    average_accuracy: float | None
    forgetting: float | None
    backward_transfer: float | None


def compute_measures(matrix: Sequence[Sequence[float | None]]) -> ContinualMeasures:
    """The numbers from a matrix whose row j holds the accuracies on the tables up to j, its own last; None stands for a
    table of which nothing was asked."""
    if not matrix:
        return ContinualMeasures(None, None, None)
    last = matrix[-1]
    falls, changes = [], []
    for table, now in enumerate(last[:-1]):
        before = [row[table] for row in matrix[table:-1]]
        asked = [value for value in before if value is not None]
        if now is not None and asked:
            falls.append(max(asked) - now)
        if now is not None and before[0] is not None:
            changes.append(now - before[0])
    return ContinualMeasures(*(_average(values) for values in (_drop_none(last), falls, changes)))


def _drop_none(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _average(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
