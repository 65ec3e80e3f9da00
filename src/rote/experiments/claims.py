"""Claims and their verdicts: what the paper says, what we measured, and whether it holds on this model."""

from collections.abc import Iterator
from typing import TypedDict

from rote.evaluation.differences import Figure
from rote.experiments.experiment import Cell, Claim, Experiment, State
from rote.experiments.figures import (
    Jobs,
    compute_cell_difference,
    compute_cells,
    compute_state,
    compute_tokens,
)
from rote.models.embedded import EMBEDDED_NAME


class ClaimRow(TypedDict):
    """One row of `claims.json`; a stable contract."""

    claim: str
    text: str
    experiment: str
    model: str
    paper: str
    ours: float
    low: float
    high: float
    seeds: int
    bound: str
    verdict: str
    why: str


def judge_claims(name: str, experiment: Experiment, jobs: Jobs, *, model: str) -> Iterator[ClaimRow]:
    """A row for every claim of an experiment that its records can answer: `--set` may have asked for less."""
    for claim in experiment.claims:
        try:
            figure = compute_claim(claim, experiment, jobs)
        except ValueError:
            continue
        verdict = judge(claim, figure)
        of = claim.value or claim.state
        assert of is not None
        bound = (
            f"<= {claim.at_most:g}" if claim.at_least is None else f">= {claim.at_least:g}" if claim.at_least else "> 0"
        )
        yield ClaimRow(
            claim=claim.name,
            text=claim.text,
            experiment=name,
            model=jobs[of.run][0].outcome["config"]["model"],
            paper=claim.paper,
            ours=round(figure.value, 4),
            low=round(figure.low, 4),
            high=round(figure.high, 4),
            seeds=min(len(members) for members in jobs.values()),
            bound=bound,
            verdict=verdict,
            why=claim.why if verdict != "holds" and model == EMBEDDED_NAME else "",
        )


def compute_claim(claim: Claim, experiment: Experiment, jobs: Jobs) -> Figure:
    """The figure a claim is about. Raises `ValueError` where it was not asked for."""
    if claim.state:
        figure = _find_state(claim.state, jobs)
        return _subtract(figure, _find_state(claim.minus_state, jobs)) if claim.minus_state else figure
    assert claim.value is not None
    if claim.over:
        return _compute_token_ratio(claim, experiment, jobs)
    if claim.minus:
        return _compute_difference(claim.value, claim.minus, experiment, jobs)
    cell = compute_cells(experiment, jobs).get((claim.value.run, claim.value.column))
    if cell is None:
        raise ValueError(f"no records for the cell {claim.value}")
    return Figure(cell.mean, cell.low, cell.high, cell.n)


def judge(claim: Claim, figure: Figure) -> str:
    """`holds` when the figure reaches the bound, `partly` when it lies on the right side of `partly` beyond doubt.

    A difference that is only wanted above 0 has to be so beyond doubt to hold, and partly holds without that.
    """
    if claim.at_least == 0:
        return "holds" if figure.low > 0 else "partly" if figure.value > 0 else "does not hold"
    if claim.at_least is not None:
        if figure.value >= claim.at_least:
            return "holds"
        return "partly" if figure.low > (claim.partly or 0.0) else "does not hold"
    if figure.value <= (claim.at_most or 0.0):
        return "holds"
    return "partly" if claim.partly is not None and figure.high < claim.partly else "does not hold"


def _compute_difference(first: Cell, second: Cell, experiment: Experiment, jobs: Jobs) -> Figure:
    columns = {column.name: column for column in experiment.columns}
    return compute_cell_difference(columns[first.column], columns[second.column], jobs[first.run], jobs[second.run])


def _find_state(state: State, jobs: Jobs) -> Figure:
    figure = compute_state(state, jobs)
    if figure is None:
        raise ValueError(f"no hidden states were compared: {state}")
    return figure


def _subtract(first: Figure, second: Figure) -> Figure:
    """A difference of two figures that are taken as independent."""
    margin = ((first.high - first.value) ** 2 + (second.high - second.value) ** 2) ** 0.5
    value = first.value - second.value
    return Figure(value, value - margin, value + margin, min(first.n, second.n))


def _compute_token_ratio(claim: Claim, experiment: Experiment, jobs: Jobs) -> Figure:
    """Our training tokens over those of the cheapest run that answers as well; where none does, over the dearest.

    A run answers as well unless it is below ours beyond doubt.
    """
    ours = claim.value
    assert ours is not None
    differences = {
        run: _compute_difference(Cell(run=run, column=ours.column), ours, experiment, jobs) for run in claim.over
    }
    equal = [run for run, difference in differences.items() if difference.high >= 0]
    costs = [compute_tokens(jobs[run]) for run in equal or claim.over]
    ratio = compute_tokens(jobs[ours.run]) / (min(costs) if equal else max(costs))
    return Figure(ratio, ratio, ratio, len(jobs[ours.run]))
