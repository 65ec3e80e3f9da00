"""Runs that taught one table after another, as something to publish: how each table is answered after each."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rote.experiments.tables import format_cell
from rote.figures import Figure
from rote.report.results_page import ResultTable
from rote.results.entries import Entry
from rote.results.seeds import Seed, average_rows, check_seeds, find_code, list_relations, refuse_other
from rote.runs.base import find_base, list_row, read_settings
from rote.runs.differences import find_difference
from rote.runs.folder import RunFolder
from rote.runs.shapes import Retained, read_shaped

_MEASURES = {
    "average_accuracy": "average accuracy",
    "forgetting": "forgetting",
    "backward_transfer": "backward transfer",
}
_SAME_SIZE = 1.1
"""How much larger a table of the same size may be: of invented ones a few facts are left out that another table has."""

Condition = tuple[int, float]
"""How many tables there are, and the share of the earlier ones that was rehearsed."""


def taught_later_tables(folder: Path) -> bool:
    """Whether a folder is that of a run whose model had been taught tables before."""
    return RunFolder(folder).retention.is_file()


def build_later_entries(folders: Sequence[RunFolder]) -> list[Entry]:
    """An entry for each untrained model, from the last runs of rows of tables; runs of one condition are its seeds.

    Raises `RunError` where a run is damaged, or runs of one condition were done otherwise.
    """
    by_base: dict[str, dict[Condition, list[Seed]]] = {}
    for folder in folders:
        found = read_shaped(folder.retention, Retained)
        share = float(read_settings(folder).get("rehearse", {}).get("share", 0))
        conditions = by_base.setdefault(find_base(folder), {})
        seed = Seed(folder, found, {folder.table.name: {"relations": list_relations(folder.table)}})
        conditions.setdefault((len(found["tables"]), share), []).append(seed)
    return [_build(base, dict(sorted(conditions.items()))) for base, conditions in by_base.items()]


def _build(base: str, conditions: Mapping[Condition, Sequence[Seed]]) -> Entry:
    for seeds in conditions.values():
        check_seeds(seeds)
        _check_sizes(seeds)
    outcomes = {condition: [seed.found for seed in seeds] for condition, seeds in conditions.items()}
    rows = [run for seeds in conditions.values() for seed in seeds for run in list_row(seed.folder)]
    return Entry(
        name="later_tables",
        title="Tables taught one after another",
        description=(
            "Each table is taught to the model of the one before; held-out prompts in English. Average accuracy, "
            "forgetting and backward transfer are those of continual learning."
        ),
        command=_write_command(base, conditions),
        model=base,
        seeds=min(map(len, conditions.values())),
        code=find_code(rows),  # each run of a row measured a column of the matrix
        tables=[*(_build_matrix(condition, runs) for condition, runs in outcomes.items()), _sum_up(outcomes)],
    )


def _write_command(base: str, conditions: Mapping[Condition, Sequence[Seed]]) -> str:
    """How rows of such tables are taught again; settings of other kinds are said in the docs."""
    seeds = [seed for found in conditions.values() for seed in found]
    tables = seeds[0].found["tables"]
    numbers = sorted({read_settings(seed.folder).get("seed", 0) for seed in seeds})
    shares = (f"{share:g}" for share in dict.fromkeys(share for _, share in conditions))
    relations = list_relations(seeds[0].folder.table)
    return (
        f"python scripts/later_tables.py OUT --model {shlex.quote(base)} --tables {len(tables)} "
        f"--facts {tables[0]['facts']} --seeds {' '.join(map(str, numbers))} --shares {' '.join(shares)} "
        f"--relations {' '.join(map(shlex.quote, relations))}"
    )


def _check_sizes(seeds: Sequence[Seed]) -> None:
    """Raise `RunError` where the tables of one run are larger than those of another."""
    first = _list_sizes(seeds[0])
    for seed in seeds:
        sizes = _list_sizes(seed)
        if any(max(pair) > _SAME_SIZE * min(pair) for pair in zip(first, sizes, strict=True)):
            refuse_other(seeds[0].folder, seed.folder, find_difference(first, sizes, "number of facts in each table"))


def _list_sizes(seed: Seed) -> list[int]:
    return [table["facts"] for table in seed.found["tables"]]


def _build_matrix(condition: Condition, runs: Sequence[Mapping[str, Any]]) -> ResultTable:
    count, share = condition
    head = (f"share rehearsed: {share:g}", *(f"after table {after + 1}" for after in range(count)))
    rows = [
        (f"table {table + 1}", *(format_cell(_average(runs, table, after)) for after in range(count)))
        for table in range(count)
    ]
    return ResultTable(head, tuple(rows))


def _average(runs: Sequence[Mapping[str, Any]], table: int, after: int) -> Figure | None:
    cells = [cell for run in runs for cell in run["cells"]]
    return average_rows([cell for cell in cells if (cell["table"], cell["after"]) == (table, after)])


def _sum_up(conditions: Mapping[Condition, Sequence[Mapping[str, Any]]]) -> ResultTable:
    rows = []
    for (count, share), runs in conditions.items():
        found = ([run[name] for run in runs if run[name] is not None] for name in _MEASURES)
        rows.append((f"{count} tables, share {share:g}", *(_format_range(values) for values in found)))
    return ResultTable(("", *(f"{words} (lowest to highest seed)" for words in _MEASURES.values())), tuple(rows))


def _format_range(values: Sequence[float]) -> str:
    return f"{fmean(values):z.3f} ({min(values):z.3f} to {max(values):z.3f})" if values else ""
