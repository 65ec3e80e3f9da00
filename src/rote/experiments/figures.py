"""From the trials of an experiment to figures with intervals. Figures come from records only."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from rote.evaluation.intervals import Z95, Interval, compute_interval
from rote.experiments.experiment import Column, Experiment, State
from rote.pipeline.trial import TrialResult

Trials = Mapping[str, Sequence[TrialResult]]
"""The trials of each run, one per seed."""
Values = dict[Hashable, list[float]]
"""The values of a figure by fact."""


@dataclass(frozen=True)
class Figure:
    """A number with its 95% interval; unlike an `Interval` it may be a difference or a ratio."""

    value: float
    low: float
    high: float
    n: int


def collect_values(column: Column, trials: Sequence[TrialResult]) -> Values:
    """The values of a column over the trials of one run, by fact."""
    values: Values = {}
    for trial in trials:
        last = trial.records[-1].moment
        labels: Mapping[str, str] = trial.outcome["labels"]
        for record in trial.records:
            if column.fits(record, last, labels.get(f"{record.relation}/{record.subject}", "")):
                values.setdefault((record.relation, record.subject), []).append(column.read(record))
    return values


def compute_cells(experiment: Experiment, trials: Trials) -> dict[tuple[str, str], Interval]:
    """Every cell of the experiment's table, by (run, column); facts are the clusters, over all seeds."""
    cells = {}
    for run, members in trials.items():
        for column in experiment.columns:
            values = collect_values(column, members)
            if values:
                cells[run, column.name] = compute_mean(values)
    return cells


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
    return Figure(value, value - margin, value + margin, min(sizes))


def compute_state(state: State, trials: Trials) -> Figure | None:
    """A figure of the hidden states: its mean over the seeds, with the widest of their intervals around it.

    None where it was not measured, as a key token's before it is there.
    """
    rows = [
        row
        for trial in trials[state.run]
        for row in trial.outcome["representations"]
        if (row["moment"], row["measure"], row["prompt_set"], row["layer"])
        == (state.moment, state.measure, state.prompt_set, -1)
    ]
    if not rows:
        return None
    value = math.fsum(row["value"] for row in rows) / len(rows)
    margin = max(max(row["high"] - row["value"], row["value"] - row["low"]) for row in rows)
    return Figure(value, value - margin, value + margin, rows[0]["n"])


def compute_tokens(trials: Sequence[TrialResult]) -> float:
    """Training tokens of a run, the mean over its seeds."""
    counts: list[int] = [trial.outcome["training_tokens"] for trial in trials]
    return sum(counts) / len(counts)
