"""Examining a model on a table without teaching it anything."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from rote.config.run import RunConfig
from rote.evaluation.examine import examine
from rote.evaluation.summary import SummaryRow, compute_summary
from rote.facts.fact import hash_fact
from rote.facts.table import FactTable
from rote.models.loading import SAFE, LoadOptions, load_model
from rote.pipeline.plan import RunPlan, build_run_plan, build_run_questions
from rote.pipeline.reporting import Reporter
from rote.records import save_records
from rote.runs.files import replace_file


def examine_model(
    model: str,
    table: FactTable,
    config: RunConfig,
    *,
    reporter: Reporter,
    records_file: Path | None = None,
    loading: LoadOptions = SAFE,
) -> list[SummaryRow]:
    """Ask a model about every fact of a table and some known ones; returns the summary.

    A model that Rote taught is asked by its key tokens too and its records carry the moment `generalize`; any other
    model's carry `before`. Its folder says which facts were shown in generalize; to any other model all are held-out.
    Unseen facts are those of a run with the same seed; known facts are drawn from the whole world, as no texts were
    retained.
    """
    language_model = load_model(model, loading)
    plan = _split_as_shown(build_run_plan(table, config), language_model.shown)
    keys: Mapping[str, str] = language_model.key_tokens
    chat = language_model.tokenizer.chat_template is not None
    questions = build_run_questions(plan, config, key_tokens=keys, retained=(), chat=chat)
    with reporter.step("examine") as advance:
        records = examine(
            language_model.model,
            language_model.tokenizer,
            questions,
            moment="generalize" if keys else "before",
            batch_size=config.examine.batch_size,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if records_file:
        with replace_file(records_file) as draft:
            save_records(records, draft)
    return compute_summary(records)


def _split_as_shown(plan: RunPlan, shown: Collection[str]) -> RunPlan:
    facts = dict.fromkeys([*plan.generalize_facts, *plan.table])  # of those, first in the order of a run
    return replace(
        plan,
        generalize_facts=[fact for fact in facts if hash_fact(fact) in shown],
        held_out_facts=[fact for fact in plan.table if hash_fact(fact) not in shown],
    )
