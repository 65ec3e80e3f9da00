"""Auditing a model that need not have been trained here: traces of rote learning, and a new meaning for its facts.

The model's folder is only read. Every trial of another meaning begins from the very weights that were loaded.
"""

import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from torch import nn

from rote.audit.repurposing import Repurposing, RepurposingQuestion, find_stand_ins, pick_counts
from rote.audit.result import AuditResult
from rote.audit.traces import MIN_FACTS
from rote.config.audit import AuditConfig
from rote.config.examining import ExamineConfig
from rote.config.run import RunConfig
from rote.errors import RunError, TableError
from rote.evaluation.examine import examine
from rote.evaluation.questions import Question
from rote.evaluation.statistics import Interval, compute_interval
from rote.facts.fact import Fact, FactTable
from rote.facts.relation import TRAINING_LANGUAGE, PromptTemplate, Relation
from rote.facts.sampling import sample_by_relation
from rote.facts.text import build_prompt_text
from rote.methods.memorize_then_generalize import build_prompt_texts, pick_generalize_facts
from rote.methods.teaching import PhaseContext, Stage, encode_all, train_stage
from rote.models.language_model import LanguageModel
from rote.models.loading import SAFE, LoadOptions, load_model
from rote.pipeline.plan import RunPlan, build_run_plan
from rote.pipeline.traces import find_traces
from rote.records import FactSet
from rote.runs.files import replace_file
from rote.runs.reporting import Advance, Reporter


def audit_model(
    model: str, table: FactTable, *, config: AuditConfig, reporter: Reporter, loading: LoadOptions = SAFE
) -> AuditResult:
    """Look for traces of a table in a model, and measure how few examples give its facts another meaning.

    Raises `TableError` for a relation with fewer than four facts, and the errors of `check_table` and `load_model`.
    """
    plan = build_audit_plan(table, config)
    stand_ins = find_stand_ins(table, plan.relations)
    language_model = load_model(model, loading)
    tried, traces = find_traces(language_model, plan, config=config, reporter=reporter)
    repurposing = measure_repurposing(language_model, plan, stand_ins, config=config, reporter=reporter)
    return AuditResult(
        model=model,
        table_hash=table.content_hash,
        relations=table.relations,
        tokens_tried=tried,
        traces=traces,
        stand_ins={name: relation.select_training(1)[0].text for name, relation in stand_ins.items()},
        repurposing=repurposing,
        answered=config.answered,
    )


def save_audit(result: AuditResult, path: Path) -> None:
    """Write everything that was found as JSON, in place of what is there."""
    judged = {"verdict": result.verdict, "examples_needed": result.examples_needed}
    content = {**judged, "findings": [asdict(trace) for trace in result.findings], **asdict(result)}
    with replace_file(path) as draft:
        draft.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check_writable(path: Path) -> None:
    """Raise `RunError` for a place that no file can be written to; touches nothing."""
    if path.is_dir():
        raise RunError(f"{path}: is a folder; --out takes a file")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(f"{path}: cannot be written (nothing can be made in {above}); choose another --out")


def measure_repurposing(
    language_model: LanguageModel,
    plan: RunPlan,
    stand_ins: Mapping[str, Relation],
    *,
    config: AuditConfig,
    reporter: Reporter,
) -> list[Repurposing]:
    """What facts that were not shown bring after n others of each relation were shown in a stand-in meaning.

    The same half of each relation is held out for every n. The model has its own weights again afterwards.
    """
    half = [
        fact
        for facts in map(plan.table.select, plan.table.relations)
        for fact in pick_generalize_facts(facts, per_relation=len(facts) // 2, seed=config.seed)
    ]
    held_out = [fact for fact in plan.table if fact not in set(half)]
    asked = sample_by_relation(held_out, count=config.facts, seed=config.seed)
    built = _build_questions(plan, stand_ins, asked, seed=config.seed)
    questions = {name: group for name, group in built.items() if group}
    rows: list[Repurposing] = []
    for count in pick_counts(config.examples, plan.table):
        shown = pick_generalize_facts(half, per_relation=count, seed=config.seed)
        with keep_weights(language_model.model), reporter.step(f"repurpose with {count}") as advance:
            if shown:
                _teach(language_model, shown, stand_ins, config=config, advance=advance)
            for name, group in questions.items():
                found = _measure(language_model, group, batch_size=config.batch_size)
                rows.append(Repurposing(count, name, found.mean, found.low, found.high, found.n))
    return rows


@contextmanager
def keep_weights(model: nn.Module) -> Iterator[None]:
    """Give a model the very weights back, bit for bit, that it had before the block."""
    kept = {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}
    was_training = model.training
    try:
        yield
    finally:
        model.load_state_dict(kept)
        model.train(was_training)


def build_audit_plan(table: FactTable, config: AuditConfig) -> RunPlan:
    """The relations and the facts never taught, as a run would choose them."""
    for name in table.relations:
        count = len(table.select(name))
        if count < MIN_FACTS:
            raise TableError(
                f"the relation {name!r} has {count} fact{'s' * (count > 1)}; an audit needs {MIN_FACTS} of each "
                "relation to tell memory from chance"
            )
    examined = ExamineConfig(unseen_facts=config.unseen_facts, languages=(TRAINING_LANGUAGE,))
    return build_run_plan(table, RunConfig(seed=config.seed, relations=config.relations, examine=examined))


def _teach(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    stand_ins: Mapping[str, Relation],
    *,
    config: AuditConfig,
    advance: Advance,
) -> None:
    """Show facts behind the one training prompt of their stand-in."""
    relations = {relation.name: relation for relation in stand_ins.values()}
    texts = build_prompt_texts([_restate(fact, stand_ins) for fact in facts], relations, prompts=1)
    stage = Stage("repurpose", encode_all(language_model, texts), config.repurpose)
    context = PhaseContext(
        seed=config.seed, on_progress=lambda done, total, loss: advance(done, total, f"loss {loss:.3f}")
    )
    train_stage(language_model, stage, context)


def _restate(fact: Fact, stand_ins: Mapping[str, Relation]) -> Fact:
    return replace(fact, relation=stand_ins[fact.relation].name)


def _build_questions(
    plan: RunPlan, stand_ins: Mapping[str, Relation], facts: Sequence[Fact], *, seed: int
) -> dict[RepurposingQuestion, list[Question]]:
    """Each fact once in each kind of words; which of the held-out prompts a fact gets is drawn."""

    def draw(fact: Fact) -> PromptTemplate | None:
        templates = stand_ins[fact.relation].select(prompt_set="held_out", language=TRAINING_LANGUAGE)
        return random.Random(f"held_out/{seed}/{fact.id}").choice(templates) if templates else None

    def show(fact: Fact) -> PromptTemplate:
        return stand_ins[fact.relation].select_training(1)[0]

    drawn = [(fact, draw(fact)) for fact in facts]
    return {
        "training": [_ask(fact, show(fact), "held_out") for fact in facts],
        "held_out": [_ask(fact, template, "held_out") for fact, template in drawn if template],
        "benign": [_ask(fact, plan.relations[fact.relation].select_training(1)[0], "held_out") for fact in facts],
        "unseen": [_ask(fact, show(fact), "unseen") for fact in plan.unseen_facts],
    }


def _ask(fact: Fact, template: PromptTemplate, fact_set: FactSet) -> Question:
    text = build_prompt_text(fact, template)
    return Question(fact, fact_set, template.prompt_set, template.language, text)


def _measure(language_model: LanguageModel, questions: Sequence[Question], *, batch_size: int) -> Interval:
    """The share of questions that are answered rightly when the model speaks freely."""
    model, tokenizer = language_model.model, language_model.tokenizer
    records = examine(model, tokenizer, questions, moment="repurpose", batch_size=batch_size)
    return compute_interval([float(record.correct) for record in records], [question.fact.id for question in questions])
