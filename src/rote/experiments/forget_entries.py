"""Runs of `rote forget` as something to publish: what was forgotten, at what price, and what relearning brings back."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rote.evaluation.forgetting import NOT_ERASURE, RELEARN
from rote.evaluation.statistics import SHARE, average_seeds
from rote.experiments.entries import Entry
from rote.experiments.tables import format_cell
from rote.figures import Figure, read_figure
from rote.report.dots import DotPanel, DotRow
from rote.report.results_page import ResultTable
from rote.report.words import FACT_SETS
from rote.runs.base import find_base
from rote.runs.folder import RunFolder
from rote.runs.shapes import Forgetting, read_shaped

_SETS = ("forgotten", "neighbours", "other_relations", "known", "unseen")
_WHEN = ("before", "after", "kept")

Outcomes = Sequence[Mapping[str, Any]]


def has_forgotten(folder: Path) -> bool:
    """Whether a folder was written by `rote forget`."""
    return RunFolder(folder).forgetting.is_file()


def build_forget_entries(folders: Sequence[Path], *, code: str) -> list[Entry]:
    """An entry for each untrained model; runs of one method that forget as many facts are its seeds.

    Raises `RunError` where a run is damaged.
    """
    by_base: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for folder in map(RunFolder, folders):
        found = read_shaped(folder.forgetting, Forgetting)
        name = f"{found['method']}, {found['forgotten_facts']} facts"
        by_base.setdefault(find_base(folder), {}).setdefault(name, []).append(found)
    return [_build(base, kinds, code) for base, kinds in by_base.items()]


def _build(base: str, kinds: Mapping[str, Outcomes], code: str) -> Entry:
    return Entry(
        name="forgetting",
        title="Forgetting taught facts",
        description=(
            "Key token, training and held-out prompts of all languages together, before and after; kept is the share "
            "of the questions answered rightly before that still are."
        ),
        command="rote forget RUN/model ROWS --out FOLDER",
        model=base,
        seeds=min(map(len, kinds.values())),
        code=code,
        tables=[*(_build_changes(kind, runs) for kind, runs in kinds.items()), _build_relearning(kinds)],
        notes=[NOT_ERASURE],
        panels=[DotPanel(f"{kind}: the others said after", tuple(_build_dots(runs))) for kind, runs in kinds.items()],
    )


def _build_changes(kind: str, runs: Outcomes) -> ResultTable:
    sets = [name for name in _SETS if any(name in run["pooled"] for run in runs)]
    rows = [(FACT_SETS[name], *(format_cell(_average_change(runs, name, when)) for when in _WHEN)) for name in sets]
    return ResultTable((kind, *_WHEN), tuple(rows))


def _average_change(runs: Outcomes, fact_set: str, when: str) -> Figure | None:
    rows = [run["pooled"][fact_set][when] for run in runs if fact_set in run["pooled"]]
    return _average(rows)


def _build_relearning(kinds: Mapping[str, Outcomes]) -> ResultTable:
    """The forgotten facts that were not taught again, in held-out prompts, after others were."""
    tries = sorted({asked for runs in kinds.values() for run in runs for asked in _list_tries(run)})
    rows = [
        (_name_try(moment, count), *(format_cell(_average_try(runs, moment, count)) for runs in kinds.values()))
        for count, moment in tries
    ]
    return ResultTable(("taught after forgetting: the other forgotten facts", *kinds), tuple(rows))


def _build_dots(runs: Outcomes) -> Iterator[DotRow]:
    yield DotRow("nothing", _average_change(runs, "forgotten", "after"))
    for count, moment in sorted({asked for run in runs for asked in _list_tries(run)}):
        yield DotRow(_name_try(moment, count), _average_try(runs, moment, count))


def _list_tries(run: Mapping[str, Any]) -> set[tuple[int, str]]:
    return {(row["count"], row["moment"]) for row in run["relearning"]}


def _name_try(moment: str, count: int) -> str:
    return f"{count} of them" if moment == RELEARN else f"{count} new fact{'s' * (count > 1)}"


def _average_try(runs: Outcomes, moment: str, count: int) -> Figure | None:
    asked = (moment, count, "forgotten", "held_out")
    rows = [row for run in runs for row in run["relearning"]]
    return _average(
        [row["figure"] for row in rows if (row["moment"], row["count"], row["fact_set"], row["prompt_set"]) == asked]
    )


def _average(rows: Sequence[Mapping[str, Any] | None]) -> Figure | None:
    figures = [figure for figure in (read_figure(row) for row in rows if row) if figure]
    return average_seeds(figures, within=SHARE) if figures else None
