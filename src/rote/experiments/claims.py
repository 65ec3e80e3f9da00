"""Claims and their verdicts: what the paper says, what we measured, and whether it holds on this model."""

import re
from collections.abc import Iterator, Sequence

from typing_extensions import TypedDict

from rote.evaluation.statistics import compute_mean
from rote.experiments.experiment import Cell, Claim, Experiment, State, list_causes
from rote.experiments.figures import (
    Jobs,
    compute_cell_difference,
    compute_cells,
    compute_state,
    compute_tokens,
)
from rote.figures import Figure, format_figure, judge

_PAIR = re.compile(r"(\d+\.?\d*) ([-/]) (\d+\.?\d*)( \(.+\))?")
"""A difference or a ratio of two figures, as a claim says it, and where it was found if not in the paper."""


_MINUS = " - "


class ClaimRow(TypedDict):
    """One row of `claims.json`; a stable contract."""

    claim: str
    text: str
    experiment: str
    model: str
    paper: str
    ours: float
    made_of: str
    """The two figures that `ours` is the difference or the ratio of, as in `paper`; may be empty."""
    low: float | None
    """The ends of the 95% interval; None of a ratio of tokens, which are counted."""
    high: float | None
    seeds: int
    n: int | None
    """The questions it rests on, of a difference the fewer; None for hidden states and tokens, and in older results."""
    bound: str
    verdict: str
    why: str
    """The reason where it does not hold or is open, as far as it was examined."""
    basis: str
    """Whether that reason is `measured`, `probable` or `not examined`; empty where there is none."""
    cause: str
    """What it has in common with claims of other experiments, in a sentence; may be empty."""
    stale: bool
    """Whether other code measured it than is there now."""


class _Reason(TypedDict):
    why: str
    basis: str
    cause: str


_NO_REASON = _Reason(why="", basis="", cause="")


def judge_claims(
    name: str, experiment: Experiment, jobs: Jobs, *, model: str, changes: Sequence[str] = ()
) -> Iterator[ClaimRow]:
    """A row for every claim of an experiment that its records can answer: `changes`, which are `--set` pairs, may have
    asked for less. `model` is what its runs were asked of, by the name that it is published under."""
    examined = is_examined(experiment, model, changes)
    for claim in experiment.claims:
        try:
            figure = compute_claim(claim, experiment, jobs)
        except ValueError:
            continue
        verdict = judge(figure, at_least=claim.at_least, at_most=claim.at_most)
        yield ClaimRow(
            claim=claim.name,
            text=claim.text,
            experiment=name,
            model=model,
            paper=claim.paper,
            ours=round(figure.value, 4),
            made_of=_format_parts(claim, experiment, jobs),
            low=round(figure.low, 4) if figure.low < figure.high else None,
            high=round(figure.high, 4) if figure.low < figure.high else None,
            seeds=min(len(members) for members in jobs.values()),
            n=None if claim.over or claim.state else figure.n,
            bound=format_bound(claim),
            verdict=verdict,
            **(_find_why(claim, model, verdict) if examined else _NO_REASON),
            stale=False,
        )


def _format_parts(claim: Claim, experiment: Experiment, jobs: Jobs) -> str:
    """The figures that a difference or a ratio is made of: `0.850 - 0.300`."""
    if claim.over:
        return " / ".join(f"{tokens:,.0f}" for tokens in _compare_tokens(claim, experiment, jobs))
    if claim.minus:
        parts = [_find_cell(cell, experiment, jobs) for cell in (claim.value, claim.minus) if cell]
    elif claim.minus_state:
        parts = [_find_state(state, jobs) for state in (claim.state, claim.minus_state) if state]
    else:
        return ""
    return _MINUS.join(f"{part.value:z.4f}" for part in parts)


def format_bound(claim: Claim) -> str:
    """What is wanted of a claim's figure: `>= 0.3`."""
    return f">= {claim.at_least:g}" if claim.at_most is None else f"<= {claim.at_most:g}"


def is_examined(experiment: Experiment, model: str, changes: Sequence[str]) -> bool:
    """Whether the reasons that an experiment declares are about runs of a model with these `--set` pairs."""
    return sorted(changes) == sorted(experiment.examined_with.get(model, ()))


def declare_again(row: ClaimRow, claim: Claim, *, examined: bool) -> ClaimRow:
    """A row that was kept, with the words in which its claim is declared today, and its reason where that is about runs
    such as it rests on (`is_examined`)."""
    why = _find_why(claim, row["model"], row["verdict"]) if examined else _NO_REASON
    return {**row, "text": claim.text, "paper": claim.paper, **why}


def _find_why(claim: Claim, model: str, verdict: str) -> _Reason:
    why = claim.why.get(model)
    if verdict == "holds" or not why:
        return _NO_REASON
    return {"why": why.text, "basis": why.basis, "cause": list_causes()[why.cause] if why.cause else ""}


def format_ours(row: ClaimRow) -> str:
    """A claim's figure with its interval, or with the word that it has none; and what it is made of."""
    figure = get_figure(row)
    text = format_figure(figure) if figure.low < figure.high else f"{format_figure(figure)} (no interval)"
    return f"{text} ({write_parts(row)})" if row["made_of"] else text


def write_parts(row: ClaimRow) -> str:
    """What a difference or a ratio is made of: `0.850 - 0.300`; empty for another figure."""
    return _MINUS.join(format_parts(row)) if _MINUS in row["made_of"] else row["made_of"]


def format_parts(row: ClaimRow, form: str = "z.3f") -> list[str]:
    """The two figures of a difference; that of the row alone where it is none."""
    parts = row["made_of"].split(_MINUS) if _MINUS in row["made_of"] else [row["ours"]]
    return [format(float(part), form) for part in parts]


def get_figure(row: ClaimRow) -> Figure:
    """A claim's figure; without an interval both of its ends are the value."""
    low, high = (row["ours"] if end is None else end for end in (row["low"], row["high"]))
    return Figure(row["ours"], low, high, row["n"] or 0)


def format_size(row: ClaimRow) -> str:
    """What a claim's figure rests on: `3 seeds, 300 questions`; and whether that is too little for it ever to hold."""
    counts = ((row["seeds"], "seed"), (row["n"], "question"))
    told = [f"{number} {word}{'s' * (number != 1)}" for number, word in counts if number]
    return ", ".join([*told, *["too few to hold"] * is_out_of_reach(row)])


def is_out_of_reach(row: ClaimRow) -> bool:
    """Whether an open claim could not hold with the best answers to its questions, which are too few."""
    mark, bound = row["bound"].split(" ")
    if row["verdict"] != "open" or not row["n"] or row["made_of"]:
        return False
    best = compute_mean({("", str(number)): [float(mark == ">=")] for number in range(row["n"])})
    return best.low < float(bound) if mark == ">=" else best.high > float(bound)


def format_paper(row: ClaimRow) -> str:
    """The paper's figure for a claim; where it is made of two, what ours is to be compared with comes first."""
    found = _PAIR.fullmatch(row["paper"])
    if not found:
        return row["paper"]
    first, mark, second = float(found[1]), found[2], float(found[3])
    if mark == "/" and not second:
        return row["paper"]
    source = found[4] or ""
    made_of = row["paper"].removesuffix(source)
    return f"{first - second if mark == '-' else first / second:.2f} ({made_of}){source}"


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
    return _find_cell(claim.value, experiment, jobs)


def _find_cell(cell: Cell, experiment: Experiment, jobs: Jobs) -> Figure:
    (column,) = (column for column in experiment.columns if column.name == cell.column)
    found = compute_cells([column], {cell.run: jobs[cell.run]}).get((cell.run, column.name))
    if found is None:
        raise ValueError(f"no records for the cell {cell}")
    return found


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
    """Tokens are counted and not sampled, so the ratio has no interval."""
    assert claim.value is not None
    ours, theirs = _compare_tokens(claim, experiment, jobs)
    return Figure(ours / theirs, ours / theirs, ours / theirs, len(jobs[claim.value.run]))


def _compare_tokens(claim: Claim, experiment: Experiment, jobs: Jobs) -> tuple[float, float]:
    """Our training tokens, and those of the cheapest run that answers as well; where none does, of the dearest.

    A run answers as well unless it is below ours beyond doubt.
    """
    ours = claim.value
    assert ours is not None
    differences = {
        run: _compute_difference(Cell(run=run, column=ours.column), ours, experiment, jobs) for run in claim.over
    }
    equal = [run for run, difference in differences.items() if difference.high >= 0]
    costs = [compute_tokens(jobs[run]) for run in equal or claim.over]
    return compute_tokens(jobs[ours.run]), min(costs) if equal else max(costs)
