"""After a run: the model's ledger with one more table, and the matrix of how each table is answered after each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rote.evaluation.continual import compute_measures
from rote.evaluation.statistics import compute_interval
from rote.facts.names import squeeze
from rote.facts.relation import TRAINING_LANGUAGE
from rote.figures import DIGITS, FigureRow, build_figure_row
from rote.pipeline.plan import TAUGHT, Plan
from rote.pipeline.tables import name_table
from rote.records import Record
from rote.runs.ledger import Ledger, TaughtTable, add_table, name_fact


def extend_ledger(plan: Plan, records: Sequence[Record], keys: Mapping[str, str]) -> Ledger:
    """The ledger of the model after a run, from the records of its end; `keys` are the model's key tokens."""
    table = plan.table
    asked = plan.select_asked()
    taught = TaughtTable(
        name=name_table(plan.config.table),
        hash=table.content_hash,
        count=len(table),
        facts=table.facts,
        keys={name: keys[name] for name in table.relations if name in keys},
        shown=frozenset(fact.id for fact in plan.generalize_facts),
        asked=frozenset(fact.id for name in TAUGHT for fact in asked[name]),
        found=_measure(plan, records),
    )
    return add_table(plan.earlier.ledger, taught, {name: plan.relations[name] for name in table.relations})


def build_matrix(ledger: Ledger) -> dict[str, Any]:
    """What `retention.json` holds: the tables, a figure for each table after each, and the three measures."""
    found = [table.found for table in ledger.tables]
    matrix = [[row["mean"] if row else None for row in rows] for rows in found]
    measures = asdict(compute_measures(matrix))
    return {
        "tables": [{"name": table.name, "facts": table.count} for table in ledger.tables],
        "cells": [
            {"table": number, "after": after, **row}
            for after, rows in enumerate(found)
            for number, row in enumerate(rows)
            if row
        ],
        **{name: value if value is None else round(value, DIGITS) for name, value in measures.items()},
    }


def _measure(plan: Plan, records: Sequence[Record]) -> tuple[FigureRow | None, ...]:
    """Accuracy on held-out prompts in the training language at the end, of each earlier table and of this one."""
    asked = [record for record in records if record.moment == records[-1].moment and record.prompt_set == "held_out"]
    asked = [record for record in asked if record.language == TRAINING_LANGUAGE]
    places = {name_fact(fact): number for number, facts in enumerate(plan.earlier.tables) for fact in facts}
    groups: list[list[Record]] = [[] for _ in (*plan.earlier.tables, plan.table)]
    for record in asked:
        if record.fact_set in TAUGHT and record.relation in plan.table.relations:
            groups[-1].append(record)
        elif record.fact_set == "earlier":
            groups[places[record.relation, squeeze(record.subject)]].append(record)
    return tuple(map(_compute, groups))


def _compute(records: Sequence[Record]) -> FigureRow | None:
    if not records:
        return None
    facts = [(record.relation, record.subject) for record in records]
    return build_figure_row(compute_interval([float(record.correct) for record in records], facts))
