"""From the jobs of an experiment to figures with intervals. Figures come from records only."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import stdev

from rote.evaluation.differences import Figure, Values, compute_difference, compute_mean
from rote.evaluation.intervals import Z95, Interval
from rote.experiments.experiment import Column, Experiment, State
from rote.runs.store import JobResult

SeedJobs = Sequence[JobResult]
"""The jobs of one run, one per seed."""
Jobs = Mapping[str, SeedJobs]
"""The jobs of each run."""


def collect_values(column: Column, jobs: Sequence[JobResult]) -> Values:
    """The values of a column over the jobs of one run, by fact."""
    values: Values = {}
    for job in jobs:
        last = job.records[-1].moment
        labels: Mapping[str, str] = job.outcome["labels"]
        for record in job.records:
            if column.fits(record, last, labels.get(f"{record.relation}/{record.subject}", "")):
                values.setdefault((record.relation, record.subject), []).append(column.read(record))
    return values


def compute_cells(experiment: Experiment, jobs: Jobs) -> dict[tuple[str, str], Interval]:
    """Every cell of the experiment's table, by (run, column).

    Facts are the clusters, over all seeds; where the seeds differ by more than that explains, the interval is as wide
    as their means ask for.
    """
    cells = {}
    for run, members in jobs.items():
        for column in experiment.columns:
            values = collect_values(column, members)
            if values:
                mean = compute_mean(values)
                margin = _compute_seed_margin([_average(collect_values(column, [job])) for job in members])
                low, high = min(mean.low, max(0.0, mean.mean - margin)), max(mean.high, min(1.0, mean.mean + margin))
                cells[run, column.name] = Interval(mean.mean, low, high, mean.n)
    return cells


def compute_cell_difference(column: Column, other: Column, first: SeedJobs, second: SeedJobs) -> Figure:
    """The figure of `column` over the jobs `first` less that of `other` over `second`, seed by seed.

    Raises `ValueError` where one of them has no records.
    """
    pairs = [(collect_values(column, [a]), collect_values(other, [b])) for a, b in zip(first, second, strict=True)]
    margin = _compute_seed_margin([_average(a) - _average(b) for a, b in pairs])
    figure = compute_difference(collect_values(column, first), collect_values(other, second))
    low = max(-1.0, min(figure.low, figure.value - margin))
    return Figure(figure.value, low, min(1.0, max(figure.high, figure.value + margin)), figure.n)


def _average(values: Values) -> float:
    flat = [value for found in values.values() for value in found]
    if not flat:
        raise ValueError("no records for this figure")
    return math.fsum(flat) / len(flat)


def _compute_seed_margin(means: Sequence[float]) -> float:
    """Half the width of the interval that the means of the seeds ask for by themselves; 0 with one seed."""
    return Z95 * stdev(means) / math.sqrt(len(means)) if len(means) > 1 else 0.0


def compute_state(state: State, jobs: Jobs) -> Figure | None:
    """A figure of the hidden states: its mean over the seeds, with the widest of their intervals around it.

    None where it was not measured, as for a method without key tokens.
    """
    rows = [
        row
        for job in jobs[state.run]
        for row in job.outcome["representations"]
        if (row["moment"], row["measure"], row["prompt_set"], row["layer"])
        == (state.moment, state.measure, state.prompt_set, -1)
    ]
    if not rows:
        return None
    value = math.fsum(row["value"] for row in rows) / len(rows)
    widest = max(max(row["high"] - row["value"], row["value"] - row["low"]) for row in rows)
    margin = max(widest, _compute_seed_margin([row["value"] for row in rows]))
    return Figure(value, value - margin, value + margin, rows[0]["n"])


def compute_equivalent(curve: Mapping[int, float], value: float) -> float:
    """The number of exact copies that bring `value`, between the points of `curve` along straight lines from (0, 0).

    Above the curve it is the largest number there is.
    """
    points = [(0, 0.0), *sorted(curve.items())]
    for (few, low), (many, high) in pairwise(points):
        if low <= value < high:
            return few + (many - few) * (value - low) / (high - low)
    return points[-1][0] if value > 0 else 0.0


def compute_tokens(jobs: Sequence[JobResult]) -> float:
    """Training tokens of a run, the mean over its seeds."""
    counts: list[int] = [job.outcome["training_tokens"] for job in jobs]
    return sum(counts) / len(counts)
