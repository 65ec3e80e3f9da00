"""Doing an experiment: its runs, one after the other, and its table as Markdown.

Runs that differ only in what comes after memorize share that phase.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rote.evaluation.intervals import Interval
from rote.experiments.experiment import Column, Experiment, compute_cells, plan_runs
from rote.facts.table import FactTable
from rote.pipeline.reporting import Reporter
from rote.pipeline.run import RunRequest, load_all_records, run
from rote.records import Record


def reproduce(
    experiment: Experiment, table: FactTable, *, model: str, seeds: int, out: Path, reporter: Reporter
) -> str:
    """Do the runs that are not finished and return the table."""
    records: dict[str, list[Record]] = {}
    seconds: dict[str, list[float]] = {}
    for planned in plan_runs(experiment, seeds=seeds):
        folder = out / planned.folder_name
        others = tuple(sorted(path.parent for path in out.glob("*/identity.json")))
        request = RunRequest(table, "fictional facts", model, planned.config, folder, resume=True, others=others)
        result = run(request, reporter=reporter, command="rote reproduce")
        records.setdefault(planned.name, []).extend(load_all_records(result.folder))
        seconds.setdefault(planned.name, []).append(sum(result.manifest["durations"].values()))
    cells = compute_cells(experiment, records)
    times = {name: sum(values) / len(values) for name, values in seconds.items()}
    title = f"{experiment.description}; {model}, {seeds} seed(s), generation accuracy [95% interval] (questions)"
    return "\n".join([title, "", *format_markdown(experiment, cells), "", *_format_times(times)])


def format_markdown(experiment: Experiment, cells: Mapping[tuple[str, str], Interval]) -> Iterator[str]:
    """The table, one line per figure and one column per run; the paper's figures stand beside ours."""
    runs = list(experiment.runs)
    yield "| |" + "".join(f" {name} |" for name in runs)
    yield "|---|" + "---|" * len(runs)
    for column in experiment.columns:
        yield f"| {column.name} |" + "".join(f" {_format(cells.get((name, column.name)))} |" for name in runs)
        if column.paper:
            yield f"| {column.name}, paper (Qwen2.5-1.5B) |" + "".join(
                f" {figure:.2f} |" for figure in _pad(column, runs)
            )


def _pad(column: Column, runs: Sequence[str]) -> Sequence[float]:
    if len(column.paper) != len(runs):
        raise ValueError(f"the column {column.name!r} needs one figure of the paper for each run")
    return column.paper


def _format(cell: Interval | None) -> str:
    return f"{cell.mean:.3f} [{cell.low:.3f}, {cell.high:.3f}] ({cell.n})" if cell else ""


def _format_times(times: Mapping[str, float]) -> Iterator[str]:
    for name, mean in times.items():
        yield f"{name}: {mean:.0f} s a run"
