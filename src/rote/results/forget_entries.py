"""Runs of `rote forget` as something to publish: what was forgotten, at what price, and what relearning brings back."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rote.evaluation.forgetting import ASKED, NOT_ERASURE, NOTHING, RELEARN, TEACH_UNSEEN
from rote.experiments.tables import format_cell
from rote.figures import Figure
from rote.records import FactSet
from rote.report.dots import DotPanel, DotRow
from rote.report.results_page import ResultTable
from rote.report.words import FACT_SETS
from rote.results.entries import Entry
from rote.results.seeds import Seed, average_rows, check_seeds, find_code, list_relations
from rote.runs.base import find_base
from rote.runs.folder import RunFolder
from rote.runs.shapes import Forgetting, read_shaped

_WHEN = ("before", "after", "kept")

_TRIES = (NOTHING, RELEARN, TEACH_UNSEEN)

Outcomes = Sequence[Mapping[str, Any]]
Try = tuple[str, int]
"""What was taught after forgetting, as the moment says it, and how many facts."""


def has_forgotten(folder: Path) -> bool:
    """Whether a folder was written by `rote forget`."""
    return RunFolder(folder).forgetting.is_file()


def build_forget_entries(folders: Sequence[RunFolder]) -> list[Entry]:
    """An entry for each untrained model; runs of one method that forget as many facts are its seeds.

    Raises `RunError` where a run is damaged, or runs of one method were done otherwise.
    """
    by_base: dict[str, dict[str, list[Seed]]] = {}
    for folder in folders:
        found = read_shaped(folder.forgetting, Forgetting)
        name = f"{found['method']}, {found['forgotten_facts']} facts"
        seed = Seed(folder, found, {folder.forgotten.name: {"relations": list_relations(folder.forgotten)}})
        by_base.setdefault(find_base(folder), {}).setdefault(name, []).append(seed)
    return [_build(base, kinds) for base, kinds in by_base.items()]


def _build(base: str, kinds: Mapping[str, Sequence[Seed]]) -> Entry:
    for seeds in kinds.values():
        check_seeds(seeds)
    outcomes = {kind: [seed.found for seed in seeds] for kind, seeds in kinds.items()}
    tables = [
        *(_build_changes(kind, runs) for kind, runs in outcomes.items()),
        _build_relearning("the other forgotten facts", outcomes, "forgotten"),
        _build_relearning("the facts that were taught", outcomes, "relearned"),
    ]
    panels = [_build_panel(kind, runs) for kind, runs in outcomes.items()]
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
        code=find_code(seed.folder for seeds in kinds.values() for seed in seeds),
        tables=[table for table in tables if table.rows],  # nothing is relearned where that was not wished
        notes=[NOT_ERASURE],
        panels=[panel for panel in panels if panel.rows],
    )


def _build_changes(kind: str, runs: Outcomes) -> ResultTable:
    sets = [name for name in ASKED if any(name in run["pooled"] for run in runs)]
    rows = [(FACT_SETS[name], *(format_cell(_average_change(runs, name, when)) for when in _WHEN)) for name in sets]
    return ResultTable((kind, *_WHEN), tuple(rows))


def _average_change(runs: Outcomes, fact_set: str, when: str) -> Figure | None:
    rows = [run["pooled"][fact_set][when] for run in runs if fact_set in run["pooled"]]
    return average_rows(rows)


def _build_relearning(title: str, kinds: Mapping[str, Outcomes], fact_set: FactSet) -> ResultTable:
    """A set of facts in held-out prompts after some facts were taught, and where none was."""
    rows = [
        (_name_try(*asked), *(format_cell(_average_try(runs, *asked, fact_set)) for runs in kinds.values()))
        for asked in _sort_tries(set().union(*map(_list_tries, kinds.values())))
    ]
    return ResultTable((f"taught after forgetting: {title}", *kinds), tuple(row for row in rows if any(row[1:])))


def _build_panel(kind: str, runs: Outcomes) -> DotPanel:
    tries = _sort_tries(_list_tries(runs))
    rows = tuple(DotRow(_name_try(*asked), _average_try(runs, *asked, "forgotten")) for asked in tries)
    return DotPanel(f"{kind}: the others said after", rows)


def _list_tries(runs: Outcomes) -> set[Try]:
    """Those that each of the runs has, so that all seeds stand behind every figure."""
    return set.intersection(*({(row["moment"], row["count"]) for row in run["relearning"]} for run in runs))


def _sort_tries(tries: Iterable[Try]) -> list[Try]:
    """By how many facts were taught, the figure without any of them first."""
    known = (asked for asked in tries if asked[0] in _TRIES)
    return sorted(known, key=lambda asked: (asked[1], _TRIES.index(asked[0])))


def _name_try(moment: str, count: int) -> str:
    names = {
        NOTHING: f"nothing taught ({count})",
        RELEARN: f"{count} of them",
        TEACH_UNSEEN: f"{count} new fact{'s' * (count > 1)}",
    }
    return names[moment]


def _average_try(runs: Outcomes, moment: str, count: int, fact_set: FactSet) -> Figure | None:
    if (moment, count) not in _list_tries(runs):
        return None
    asked = (moment, count, fact_set, "held_out")
    rows = [row for run in runs for row in run["relearning"]]
    found = [
        row["figure"] for row in rows if (row["moment"], row["count"], row["fact_set"], row["prompt_set"]) == asked
    ]
    return average_rows(found) if found else None
