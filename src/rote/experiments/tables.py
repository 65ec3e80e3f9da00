"""The tables of an experiment: figures by run, the paper's beside ours, and hidden states where read."""

from collections.abc import Iterable, Iterator, Sequence

from rote.evaluation.intervals import Interval
from rote.experiments.experiment import Column, Experiment, Needed, State, Worth
from rote.experiments.figures import Jobs, compute_cells, compute_equivalent, compute_state, compute_tokens
from rote.report.results_page import ResultTable

_WIDE = 6
"""With more runs than this a run is a row and not a column."""
_STATES: tuple[tuple[str, str, str], ...] = (
    ("Delta-CosSim, key token", "delta_cossim", "key"),
    ("key token and training prompt", "key_similarity", "training"),
    ("key token and held-out prompts", "key_similarity", "held_out"),
    ("key token and control prompts", "key_similarity", "control"),
)

Line = tuple[str, Sequence[str]]
"""A figure's name and its text for each run."""


def build_tables(experiment: Experiment, jobs: Jobs) -> list[ResultTable]:
    """The table of figures, each `mean [low, high] (questions)`, and that of hidden states where they were read."""
    tables = [_build_figures(experiment, jobs)]
    if any(job.outcome["representations"] for members in jobs.values() for job in members):
        tables.append(_build_states(jobs))
    if experiment.needed:
        tables.append(_build_needed(experiment.needed, experiment, jobs))
    if experiment.worth:
        tables.append(_build_worth(experiment.worth, experiment, jobs))
    return tables


def format_table(experiment: Experiment, jobs: Jobs) -> Iterator[str]:
    """The same as Markdown."""
    for number, table in enumerate(build_tables(experiment, jobs)):
        if number:
            yield ""
        yield from format_rows(table.head, table.rows)


def format_cell(cell: Interval | None) -> str:
    """A figure, its interval and the number of questions; nothing where nothing was asked."""
    return f"{cell.mean:.3f} [{cell.low:.3f}, {cell.high:.3f}] ({cell.n})" if cell else ""


def _build_figures(experiment: Experiment, jobs: Jobs) -> ResultTable:
    lines, runs = list(_list_lines(experiment, jobs)), tuple(experiment.runs)
    if len(runs) > _WIDE:
        rows = zip(runs, *(cells for _, cells in lines), strict=True)
        return ResultTable(("run", *(name for name, _ in lines)), tuple(rows))
    return ResultTable(("", *runs), tuple((name, *cells) for name, cells in lines))


def _list_lines(experiment: Experiment, jobs: Jobs) -> Iterator[Line]:
    cells, runs = compute_cells(experiment, jobs), list(experiment.runs)
    for column in experiment.columns:
        yield column.name, [format_cell(cells.get((run, column.name))) for run in runs]
        if column.paper:
            yield _name_paper(column), ["" if figure is None else f"{figure:.2f}" for figure in column.paper]
    yield "training tokens", [f"{compute_tokens(jobs[run]):,.0f}" for run in runs]


def _name_paper(column: Column) -> str:
    return f"{column.name}, paper (Qwen2.5-1.5B)"


def _build_needed(needed: Needed, experiment: Experiment, jobs: Jobs) -> ResultTable:
    """The smallest number of examples in each group that reaches the bound."""
    cells = compute_cells(experiment, jobs)
    rows = []
    for group, runs in needed.groups.items():
        reached = [count for count, run in sorted(runs.items()) if cells[run, needed.column].mean >= needed.at_least]
        rows.append((group, str(reached[0]) if reached else f"more than {max(runs)}"))
    return ResultTable(("", needed.title), tuple(rows))


def _build_worth(worth: Worth, experiment: Experiment, jobs: Jobs) -> ResultTable:
    """What edited copies add to the exact ones, in exact copies."""
    cells = compute_cells(experiment, jobs)
    rows = []
    for column, (exact, edited) in worth.mixed.items():
        row = [column]
        for run in jobs:
            curve = {count: cells[run, name].mean for count, name in worth.exact.items()}
            added = compute_equivalent(curve, cells[run, column].mean) - exact
            row.append(f"{edited / added:.1f}" if added > 0 else "they add nothing")
        rows.append(tuple(row))
    return ResultTable((worth.title, *jobs), tuple(rows))


def _build_states(jobs: Jobs) -> ResultTable:
    """Cosine similarities of hidden states, the mean over the layers, by run and moment."""
    rows = []
    for run, members in jobs.items():
        moments = list(dict.fromkeys(row["moment"] for row in members[0].outcome["representations"]))
        for moment in moments:
            states = [State(run=run, moment=moment, measure=m, prompt_set=s) for _, m, s in _STATES]  # type: ignore[arg-type]
            rows.append((f"{run}, {moment}", *(_format_state(state, jobs) for state in states)))
    return ResultTable(("hidden states", *(name for name, _, _ in _STATES)), tuple(rows))


def _format_state(state: State, jobs: Jobs) -> str:
    figure = compute_state(state, jobs)
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]" if figure else ""


def format_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


STANDARD_COLUMNS = ()


def warn_of_recall(name, jobs):
    return []
