"""The tables of an experiment: figures by run, the paper's beside ours, and hidden states where read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rote.experiments.experiment import Column, Experiment, Needed, State, Worth
from rote.experiments.figures import (
    Jobs,
    compute_cells,
    compute_confidence,
    compute_equivalent,
    compute_state,
    compute_tokens,
)
from rote.figures import Figure, format_figure, judge
from rote.records import NO_LANGUAGE
from rote.report.results_page import ResultTable
from rote.runs.store import JobResult

_WIDE = 6
"""With more runs than this a run is a row and not a column."""
_STATES: tuple[tuple[str, str, str], ...] = (
    ("Delta-CosSim, key token", "delta_cossim", "key"),
    ("key token and training prompt", "key_similarity", "training"),
    ("key token and held-out prompts", "key_similarity", "held_out"),
    ("key token and control prompts", "key_similarity", "control"),
)

_TAUGHT = ("generalize", "held_out")
_RECALL = Column(name="key token, after memorize", moment="memorize", fact_set=_TAUGHT, prompt_set=("key",))
STANDARD_COLUMNS = (
    _RECALL,
    Column(name="key token", fact_set=_TAUGHT, prompt_set=("key",)),
    Column(name="control prompts", fact_set=("held_out",), prompt_set=("control",)),
    Column(name="known facts", fact_set=("known",)),
)
"""What every table shows beside its prompts: whether the facts were learned at all, what leaked, and what was lost."""
SWEEP_COLUMNS = (
    Column(name="training prompts", fact_set=("held_out",), prompt_set=("training",)),
    Column(name="held-out prompts", fact_set=("held_out",), prompt_set=("held_out",)),
    *STANDARD_COLUMNS,
)
"""The columns of a sweep; each pools the languages that were asked."""
TOKENS = "training tokens"
_RECALLED = 0.5
"""Below this recall after memorize the second phase has little to generalize from."""

Line = tuple[str, Sequence[str]]
"""A figure's name and its text for each run."""


def build_tables(experiment: Experiment, jobs: Jobs) -> list[ResultTable]:
    """The table of figures, each `mean [low, high] (questions)`, and that of hidden states where they were read."""
    tables = [_build_figures(experiment, jobs)]
    if any(job.outcome["representations"] for members in jobs.values() for job in members):
        tables.append(_build_states(jobs))
    if any(job.outcome["beliefs"] for members in jobs.values() for job in members):
        tables.append(_build_confidence(jobs))
    if experiment.needed:
        tables.append(_build_needed(experiment.needed, experiment, jobs))
    if experiment.worth:
        tables.append(_build_worth(experiment.worth, experiment, jobs))
    return tables


def list_columns(experiment: Experiment) -> tuple[Column, ...]:
    """The columns of an experiment, and those of the standard ones that ask something that none of them asks."""
    return (*experiment.columns, *(c for c in STANDARD_COLUMNS if not any(_covers(o, c) for o in experiment.columns)))


def format_job(job: JobResult) -> list[str]:
    """The figures of one job of a sweep: those of `SWEEP_COLUMNS`, then its training tokens."""
    cells = compute_cells(SWEEP_COLUMNS, {"": [job]})
    return [*(format_cell(cells.get(("", c.name))) for c in SWEEP_COLUMNS), f"{compute_tokens([job]):,.0f}"]


def warn_of_recall(jobs: Jobs) -> Iterator[str]:
    """A line for each run whose facts were hardly recalled when generalize began: what it shows is no fault of the
    method."""
    for (run, _), recall in compute_cells([_RECALL], jobs).items():
        if recall.value < _RECALLED and any(record.moment == "generalize" for record in jobs[run][0].records):
            yield (
                f"warning: {run}: memorize reached a recall of {recall.value:.2f} by key token, so there was little to "
                "generalize from; raise --set memorize.epochs, or lower memorize.warmup_steps"
            )


def describe_pooling(jobs: Jobs) -> Iterator[str]:
    """A line that says which languages a figure pools unless its name says otherwise, where there are several."""
    records = (record for members in jobs.values() for job in members for record in job.records)
    languages = dict.fromkeys(record.language for record in records if record.language != NO_LANGUAGE)
    if len(languages) > 1:
        yield f"Figures whose names name no language pool those that were asked: {', '.join(languages)}."


def format_table(experiment: Experiment, jobs: Jobs) -> Iterator[str]:
    """The tables of an experiment as Markdown, with what there is to say of the figures below the first."""
    first, *others = build_tables(experiment, jobs)
    yield from format_rows(first.head, first.rows)
    for line in (*describe_pooling(jobs), *warn_of_recall(jobs)):
        yield ""
        yield line
    for table in others:
        yield ""
        yield from format_rows(table.head, table.rows)


def format_cell(cell: Figure | None) -> str:
    """A figure, its interval and the number of questions; nothing where nothing was asked."""
    return f"{format_figure(cell)} ({cell.n})" if cell else ""


def _covers(column: Column, standard: Column) -> bool:
    """Whether a column shows what a standard one does, if of fewer of the facts."""
    if column.name == standard.name:
        return True
    if (
        column.where
        or column.language
        or column.relation
        or column.label
        or column.right_before
        or not {*column.fact_set} & {*standard.fact_set}
    ):
        return False
    asked = (column.measure, column.moment, column.prompt_set)
    return asked == (standard.measure, standard.moment, standard.prompt_set)


def _build_figures(experiment: Experiment, jobs: Jobs) -> ResultTable:
    lines, runs = list(_list_lines(experiment, jobs)), tuple(experiment.runs)
    if len(runs) > _WIDE:
        rows = zip(runs, *(cells for _, cells in lines), strict=True)
        return ResultTable(("run", *(name for name, _ in lines)), tuple(rows))
    return ResultTable(("", *runs), tuple((name, *cells) for name, cells in lines))


def _list_lines(experiment: Experiment, jobs: Jobs) -> Iterator[Line]:
    columns, runs = list_columns(experiment), list(experiment.runs)
    cells = compute_cells(columns, jobs)
    for column in columns:
        if column in STANDARD_COLUMNS and not any((run, column.name) in cells for run in runs):
            continue  # of a method without keys, or where no known facts were asked
        yield column.name, [format_cell(cells.get((run, column.name))) for run in runs]
        if column.paper:
            yield _name_paper(column), ["" if figure is None else f"{figure:.2f}" for figure in column.paper]
    yield TOKENS, [f"{compute_tokens(jobs[run]):,.0f}" for run in runs]


def _name_paper(column: Column) -> str:
    return f"{column.name}, paper (Qwen2.5-1.5B)"


def _build_needed(needed: Needed, experiment: Experiment, jobs: Jobs) -> ResultTable:
    """The smallest number of examples in each group that reaches the bound, which may be none (several, where intervals
    cross it), and what is reached with none. Groups about which `--set` left nothing to ask are left out."""
    cells = compute_cells(experiment.columns, jobs)
    rows = []
    for group, runs in needed.groups.items():
        found = {count: cells.get((run, needed.column)) for count, run in sorted(runs.items())}
        before = cells.get((next(iter(runs.values())), needed.before))
        if before is None or None in found.values():
            continue
        cells_by_count = {0: before, **{count: cell for count, cell in found.items() if cell}}
        rows.append((group, format_cell(before), _find_least(cells_by_count, needed.at_least)))
    return ResultTable(("", f"{needed.before} (no example)", needed.title), tuple(rows))


def _find_least(cells: Mapping[int, Figure], bound: float) -> str:
    """The smallest number whose figure reaches a bound; where intervals of smaller ones cross it, these too."""
    possible = []
    for count, cell in cells.items():
        verdict = judge(cell, at_least=bound)
        if verdict != "does not hold":
            possible.append(str(count))
        if verdict == "holds":
            break
    else:
        possible.append(f"more than {max(cells)}")
    return " or ".join(possible)


def _build_worth(worth: Worth, experiment: Experiment, jobs: Jobs) -> ResultTable:
    """What edited copies add to the exact ones, in exact copies."""
    cells = compute_cells(experiment.columns, jobs)
    rows = []
    for column, (exact, edited) in worth.mixed.items():
        row = [column]
        for run in jobs:
            curve = {count: cells[run, name].value for count, name in worth.exact.items() if (run, name) in cells}
            reached = cells.get((run, column))
            if reached is None or len(curve) < len(worth.exact):  # --set may have left nothing to ask of some
                row.append("")
                continue
            added = compute_equivalent(curve, reached.value) - exact
            row.append(f"{edited / added:.1f}" if added > 0 else "they add nothing")
        rows.append(tuple(row))
    return ResultTable((worth.title, *jobs), tuple(rows))


def _build_confidence(jobs: Jobs) -> ResultTable:
    """How often each run says something with confidence about subjects that do not exist, first and last."""
    rows = [
        (run, *(format_cell(compute_confidence(members, moment)) for moment in ("first", "last")))
        for run, members in jobs.items()
    ]
    return ResultTable(("false confidence", "before", "at the end"), tuple(rows))


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
    return format_figure(figure) if figure else ""


def format_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; a bar in a cell, as in the name of a key token, stays a bar."""
    for number, row in enumerate((head, *rows)):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
        if not number:
            yield "|---" * len(head) + "|"
