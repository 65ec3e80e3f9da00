"""Runs that taught one table after another, as something to publish: how each table is answered after each."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rote.evaluation.statistics import SHARE, average_seeds
from rote.experiments.entries import Entry
from rote.experiments.tables import format_cell
from rote.figures import Figure, read_figure
from rote.report.results_page import ResultTable
from rote.runs.base import find_base, read_settings
from rote.runs.folder import RunFolder
from rote.runs.shapes import Retained, read_shaped

_MEASURES = {
    "average_accuracy": "average accuracy",
    "forgetting": "forgetting",
    "backward_transfer": "backward transfer",
}

Condition = tuple[int, float]
"""How many tables there are, and the share of the earlier ones that was rehearsed."""


def taught_later_tables(folder: Path) -> bool:
    """Whether a folder is that of a run whose model had been taught tables before."""
    return RunFolder(folder).retention.is_file()


def build_later_entries(folders: Sequence[Path], *, code: str) -> list[Entry]:
    """An entry for each untrained model, from the last runs of rows of tables; runs of one condition are its seeds.

    Raises `RunError` where a run is damaged.
    """
    by_base: dict[str, dict[Condition, list[Mapping[str, Any]]]] = {}
    for folder in map(RunFolder, folders):
        found = read_shaped(folder.retention, Retained)
        share = float(read_settings(folder).get("rehearse", {}).get("share", 0))
        conditions = by_base.setdefault(find_base(folder), {})
        conditions.setdefault((len(found["tables"]), share), []).append(found)
    return [_build(base, dict(sorted(conditions.items())), code) for base, conditions in by_base.items()]


def _build(base: str, conditions: Mapping[Condition, Sequence[Mapping[str, Any]]], code: str) -> Entry:
    return Entry(
        name="later_tables",
        title="Tables taught one after another",
        description=(
            "Each table is taught to the model of the one before; held-out prompts in English. Average accuracy, "
            "forgetting and backward transfer are those of continual learning."
        ),
        command="python scripts/later_tables.py OUT",
        model=base,
        seeds=min(map(len, conditions.values())),
        code=code,
        tables=[*(_build_matrix(condition, runs) for condition, runs in conditions.items()), _sum_up(conditions)],
    )


def _build_matrix(condition: Condition, runs: Sequence[Mapping[str, Any]]) -> ResultTable:
    count, share = condition
    head = (f"share rehearsed: {share:g}", *(f"after table {after + 1}" for after in range(count)))
    rows = [
        (f"table {table + 1}", *(format_cell(_average(runs, table, after)) for after in range(count)))
        for table in range(count)
    ]
    return ResultTable(head, tuple(rows))


def _average(runs: Sequence[Mapping[str, Any]], table: int, after: int) -> Figure | None:
    figures = list(_list_figures(runs, table, after))
    return average_seeds(figures, within=SHARE) if figures else None


def _list_figures(runs: Sequence[Mapping[str, Any]], table: int, after: int) -> Iterator[Figure]:
    for run in runs:
        for cell in run["cells"]:
            figure = read_figure(cell)
            if figure and (cell["table"], cell["after"]) == (table, after):
                yield figure


def _sum_up(conditions: Mapping[Condition, Sequence[Mapping[str, Any]]]) -> ResultTable:
    rows = []
    for (count, share), runs in conditions.items():
        found = ([run[name] for run in runs if run[name] is not None] for name in _MEASURES)
        rows.append((f"{count} tables, share {share:g}", *(_format_range(values) for values in found)))
    return ResultTable(("", *(f"{words} (lowest to highest seed)" for words in _MEASURES.values())), tuple(rows))


def _format_range(values: Sequence[float]) -> str:
    return f"{fmean(values):z.3f} ({min(values):z.3f} to {max(values):z.3f})" if values else ""
