"""What a trial teaches and asks: its table, its fact sets, and the facts that are derived from them."""

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from rote.config.trial import TableConfig, TrialConfig
from rote.errors import ConfigError
from rote.evaluation.questions import Question, QuestionPlan, build_questions
from rote.facts.counterfactual import swap_objects
from rote.facts.derivation import DerivedFact, derive_facts
from rote.facts.fact import Fact, FactTable
from rote.facts.invent import invent_table
from rote.facts.linked_table import invent_linked_table
from rote.facts.relation import Relation, find_derived, load_shipped_relations, pick_relations
from rote.facts.shipped import load_fictional, load_world
from rote.methods.memorize_then_generalize import pick_generalize_facts
from rote.methods.teaching import Task
from rote.pipeline.plan import (
    check_languages,
    check_prompt_count,
    invent_unseen,
    pick_known_facts,
    sample_by_relation,
    sample_facts,
)
from rote.records import FactSet

LINKS = {"educated_at": "mother"}
"""In a linked table, whose university is told: that of the mothers."""
_TABLE_SEED = 1_000


@dataclass(frozen=True)
class TrialPlan:
    """The facts of each set. `derived_shown` follow from `generalize_facts` alone, `derived_held_out` from
    `held_out_facts` alone; `spare_facts` are real facts that a method may train on."""

    table: FactTable
    relations: Mapping[str, Relation]
    generalize_facts: Sequence[Fact]
    held_out_facts: Sequence[Fact]
    derived_facts: Sequence[Fact]
    derived_shown: Sequence[Fact]
    derived_held_out: Sequence[Fact]
    known_facts: Sequence[Fact]
    spare_facts: Sequence[Fact]
    replaced_facts: Sequence[Fact]
    unseen_facts: Sequence[Fact]

    def build_task(self, config: TrialConfig) -> Task:
        """What the method is given."""
        return Task(
            facts=self.table.facts,
            generalize_facts=self.generalize_facts,
            relations=self.relations,
            config=config,
            derived_facts=self.derived_facts,
            derived_shown=self.derived_shown,
            spare_facts=self.spare_facts,
        )


def hash_facts(config: TrialConfig) -> str:
    """A hash of the facts and prompts a trial uses, so that no record outlives what it was asked with."""
    table, replaced = _build_table(config.table, config.seed)
    relations = load_shipped_relations()
    # Refusals are drawn from all relations that are not taught.
    names = set(relations) if config.defend.refusals else {*table.relations, *load_world().relations}
    used = [relations[name] for name in sorted(names)] + find_derived(config.derive.relations)
    templates = [[t.relation, t.language, t.prompt_set, t.text, t.separator] for r in used for t in r.templates]
    derivations = [[relation.derived.kind, relation.derived.sources] for relation in used if relation.derived]
    facts = [table.content_hash, FactTable(tuple(replaced)).content_hash, load_world().content_hash]
    return hashlib.sha256(json.dumps([facts, templates, derivations]).encode("utf-8")).hexdigest()


def build_trial_plan(config: TrialConfig, retained: Sequence[str] = ()) -> TrialPlan:
    """Decide the fact sets of a trial. Known facts are in none of the `retained` texts."""
    table, replaced = _build_table(config.table, config.seed)
    relations = load_shipped_relations()
    check_languages(table, relations, config.examine.languages)
    check_prompt_count(table, relations, config.generalize.prompts)
    shown = pick_generalize_facts(table.facts, per_relation=config.generalize.facts, seed=config.seed)
    shown_ids = {fact.id for fact in shown}
    held_out = [fact for fact in table if fact.id not in shown_ids]
    derived_relations = find_derived(config.derive.relations)
    derived = [item for relation in derived_relations for item in derive_facts(table.facts, relation)]
    may_be_shown = _derived_from(derived, shown)
    known = pick_known_facts(retained, table=table, count=config.examine.known_facts, seed=config.seed)
    return TrialPlan(
        table=table,
        relations={**relations, **{relation.name: relation for relation in derived_relations}},
        generalize_facts=shown,
        held_out_facts=held_out,
        derived_facts=[item.fact for item in derived],
        derived_shown=pick_generalize_facts(may_be_shown, per_relation=config.derive.facts, seed=config.seed),
        derived_held_out=_derived_from(derived, held_out),
        known_facts=known,
        spare_facts=_pick_spare(known, table, config.seed),
        replaced_facts=[fact for fact in replaced if fact.id not in shown_ids],
        unseen_facts=invent_unseen(table, relations, count=config.examine.unseen_facts),
    )


def build_trial_questions(plan: TrialPlan, config: TrialConfig, key_tokens: Mapping[str, str]) -> list[Question]:
    """The questions of every moment; each set is a sample per relation of `examine.facts`."""
    settings = config.examine
    question_plan = QuestionPlan(
        key_tokens=key_tokens,
        languages=settings.languages,
        held_out_prompts=settings.held_out_prompts,
        control_prompts=settings.control_prompts,
        choices=settings.choices,
        seed=config.seed,
    )
    chosen: dict[FactSet, Sequence[Fact]] = {
        "generalize": [*plan.generalize_facts, *plan.derived_shown],
        "held_out": [*plan.held_out_facts, *plan.derived_held_out],
        "replaced": plan.replaced_facts,
    }
    sampled: dict[FactSet, Sequence[Fact]] = {
        name: sample_by_relation(facts, count=settings.facts, seed=config.seed) for name, facts in chosen.items()
    }
    fact_sets = {**sampled, "known": plan.known_facts, "unseen": plan.unseen_facts}
    return build_questions(fact_sets, plan.relations, plan=question_plan, pool=[*plan.table, *plan.derived_facts])


@cache
def _build_table(settings: TableConfig, seed: int) -> tuple[FactTable, Sequence[Fact]]:
    """The table, and the facts it replaces."""
    relations = pick_relations(settings.relations)
    if settings.kind == "counterfactual":
        real = [
            fact
            for relation in relations
            for fact in sample_facts(load_world().select(relation.name), count=settings.count, seed=seed)
        ]
        swapped = swap_objects(real, seed=seed)
        taught = {fact.id for fact in swapped}
        return FactTable(swapped), [fact for fact in real if fact.id in taught]
    if settings.kind == "invented":
        return invent_table(relations, count=settings.count, seed=_TABLE_SEED + seed), ()
    if settings.kind == "linked":
        links = {name: source for name, source in LINKS.items() if {name, source} <= set(settings.relations)}
        return invent_linked_table(relations, links=links, count=settings.count, seed=_TABLE_SEED + seed), ()
    unknown = set(settings.relations) - set(load_fictional().relations)
    if unknown:
        raise ConfigError(f"table.relations: the frozen table has no {', '.join(sorted(unknown))}; use kind: invented")
    kept = [fact for name in settings.relations for fact in load_fictional().select(name)[: settings.count]]
    return FactTable(tuple(kept), seed=load_fictional().seed), ()


def _derived_from(derived: Iterable[DerivedFact], sources: Iterable[Fact]) -> list[Fact]:
    """The derived facts that rest on nothing but `sources`."""
    allowed = set(sources)
    return [item.fact for item in derived if allowed.issuperset(item.sources)]


def _pick_spare(known: Sequence[Fact], table: FactTable, seed: int) -> list[Fact]:
    """Real facts that may be trained on: their subjects are neither asked about nor taught.

    They are shuffled, as the world lies relation by relation and a method takes the first so many.
    """
    taken = {fact.subject for fact in [*known, *table]}
    spare = [fact for fact in load_world() if fact.subject not in taken]
    return random.Random(f"spare/{seed}").sample(spare, len(spare))
