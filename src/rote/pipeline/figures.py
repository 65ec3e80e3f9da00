"""From what a run kept of its moments to its figures and cards."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rote.evaluation.knowledge import compute_false_confidence, compute_knowledge
from rote.evaluation.side_effects import ChangeRow, Taught, compute_rings, compute_task_row, compute_text_row
from rote.evaluation.statistics import Values
from rote.evaluation.summary import compute_by_relation, compute_summary
from rote.pipeline.beliefs import load_beliefs
from rote.pipeline.run_report import load_all_records
from rote.pipeline.run_work import RunWork
from rote.records import MOMENTS
from rote.report.card import render_card
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder, read_json, write_json

_FIRST, _LAST = MOMENTS[0], MOMENTS[-1]


def write_figures(work: RunWork) -> None:
    """Every figure, from what was kept of the moments."""
    folder, plan, config = work.folder, work.plan, work.config
    records = load_all_records(folder)
    first, last = load_beliefs(folder.beliefs(_FIRST)), load_beliefs(folder.beliefs(_LAST))
    unseen = {(fact.relation, fact.subject) for fact in plan.unseen_facts}
    beliefs = {(belief.relation, belief.subject): belief for belief in first}
    rows = compute_knowledge(records, beliefs)
    for moment, found in ((_FIRST, first), (_LAST, last)):
        invented = [belief for belief in found if (belief.relation, belief.subject) in unseen]
        if invented:
            rows.append(compute_false_confidence(moment, invented))
    taught = Taught({fact.subject for fact in plan.table}, set(plan.table.relations))
    budget = config.side_effects.budget
    rings = compute_rings(records, taught, budget=budget)
    write_json(folder.side_effects, [*rings, *_build_text_rows(folder, budget), *_build_task_rows(folder, budget)])
    write_json(folder.knowledge, rows)
    write_json(folder.relations, compute_by_relation(records))
    write_json(folder.summary, compute_summary(records))


def write_cards(folder: RunFolder, manifest: Mapping[str, Any]) -> None:
    """A model card in each folder that was saved."""
    for place, library in ((folder.model, "transformers"), (folder.adapter, "peft")):
        if place.is_dir():
            card = render_card(manifest, read_json(folder.summary), read_json(folder.side_effects), library=library)
            with replace_file(place / "README.md") as draft:
                draft.write_text(card, encoding="utf-8")


def _build_text_rows(folder: RunFolder, budget: float) -> list[ChangeRow]:
    before, after = _read_moments(folder.passages)
    return [compute_text_row(before, after, budget=budget)] if len(before) > 1 else []  # one passage proves nothing


def _build_task_rows(folder: RunFolder, budget: float) -> list[ChangeRow]:
    before, after = _read_moments(folder.tasks)
    return [
        compute_task_row(name, task["metric"], (_by_question(task), _by_question(after[name])), budget=budget)
        for name, task in dict(before).items()
    ]


def _read_moments(place: Callable[[str], Path]) -> list[Any]:
    """What was kept of the first and the last moment; of each nothing where it was not measured."""
    paths = [place(moment) for moment in (_FIRST, _LAST)]
    return list(map(read_json, paths)) if all(path.is_file() for path in paths) else [(), ()]


def _by_question(task: Mapping[str, Any]) -> Values:
    return {question: [value] for question, value in task["values"].items()}
