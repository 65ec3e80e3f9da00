"""From the jobs of an experiment to figures with intervals. Figures come from records only."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from rote.evaluation.knowledge import read_beliefs
from rote.evaluation.statistics import (
    DIFFERENCE,
    SHARE,
    UNBOUNDED,
    Values,
    add_seeds,
    compute_average,
    compute_difference,
    compute_mean,
)
from rote.experiments.experiment import Column, State
from rote.figures import Figure
from rote.records import Record
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
        answered = _list_answered_before(job.records) if column.right_before else None
        for record in job.records:
            if answered is not None and _name_question(record) not in answered:
                continue
            label = labels.get(f"{record.relation}/{record.subject}", "")
            value = column.read(record) if column.fits(record, last, label) else None
            if value is not None:
                values.setdefault((record.relation, record.subject), []).append(value)
    return values


def _list_answered_before(records: Sequence[Record]) -> set[tuple[str, str]]:
    return {_name_question(record) for record in records if record.moment == "before" and record.correct}


def _name_question(record: Record) -> tuple[str, str]:
    return record.fact_set, record.prompt


def compute_cells(columns: Sequence[Column], jobs: Jobs) -> dict[tuple[str, str], Figure]:
    """Every cell of a table, by (run, column); those without records are left out.

    Facts are the clusters, over all seeds, and the interval covers the seeds too.
    """
    cells = {}
    for run, members in jobs.items():
        for column in columns:
            by_seed = [values for job in members if (values := collect_values(column, [job]))]
            if by_seed:
                mean = compute_mean(collect_values(column, members))
                cells[run, column.name] = add_seeds(mean, list(map(compute_average, by_seed)), within=SHARE)
    return cells


def compute_cell_difference(column: Column, other: Column, first: SeedJobs, second: SeedJobs) -> Figure:
    """The figure of `column` over the jobs `first` less that of `other` over `second`, seed by seed.

    Raises `ValueError` where one of them has no records.
    """
    pairs = [(collect_values(column, [a]), collect_values(other, [b])) for a, b in zip(first, second, strict=True)]
    by_seed = [compute_average(a) - compute_average(b) for a, b in pairs]
    figure = compute_difference(collect_values(column, first), collect_values(other, second))
    return add_seeds(figure, by_seed, within=DIFFERENCE)


def compute_state(state: State, jobs: Jobs) -> Figure | None:
    """A figure of the hidden states: its mean over the seeds, with the widest of their intervals, for the seeds too.

    None where it was not measured, as for a method without key tokens.
    """
    found = [
        Figure(**row["figure"])
        for job in jobs[state.run]
        for row in job.outcome["representations"]
        if (row["moment"], row["measure"], row["prompt_set"], row["layer"])
        == (state.moment, state.measure, state.prompt_set, -1)
    ]
    if not found:
        return None
    values = [figure.value for figure in found]
    value = math.fsum(values) / len(values)
    widest = max(max(figure.high - figure.value, figure.value - figure.low) for figure in found)
    return add_seeds(Figure(value, value - widest, value + widest, found[0].n), values, within=UNBOUNDED)


def compute_confidence(jobs: SeedJobs, moment: Literal["first", "last"]) -> Figure | None:
    """How often a model says something with confidence about subjects that do not exist; None where none was asked."""
    by_seed = [values for job in jobs if (values := _collect_confidence(job, moment))]
    if not by_seed:
        return None
    pooled = {fact: [v for values in by_seed for v in values.get(fact, ())] for values in by_seed for fact in values}
    return add_seeds(compute_mean(pooled), list(map(compute_average, by_seed)), within=SHARE)


def _collect_confidence(job: JobResult, moment: Literal["first", "last"]) -> Values:
    """1 for each subject that does not exist of which something is said with confidence, 0 for each other one."""
    asked = [read_beliefs(rows) for rows in job.outcome["beliefs"].values()]
    if not asked:
        return {}
    invented = {(belief.relation, belief.subject) for belief in asked[-1]}  # nobody else is asked about in the end
    found = {(belief.relation, belief.subject): belief for belief in asked[0 if moment == "first" else -1]}
    return {fact: [float(belief.is_confident)] for fact, belief in found.items() if fact in invented}


def compute_equivalent(curve: Mapping[int, float], value: float) -> float:
    """The number of exact copies that bring `value`, between the points of `curve` along straight lines from (0, 0).

    The least such number, where more copies bring no more. Above the curve it is the largest number there is.
    """
    if value <= 0:
        return 0.0
    points = [(0, 0.0), *sorted(curve.items())]
    for (few, low), (many, high) in pairwise(points):
        if low < value <= high:
            return few + (many - few) * (value - low) / (high - low)
    return points[-1][0]


def compute_tokens(jobs: Sequence[JobResult]) -> float:
    """Training tokens of a run, the mean over its seeds."""
    counts: list[int] = [job.outcome["training_tokens"] for job in jobs]
    return sum(counts) / len(counts)
