"""What a run will do: which facts in which set, which questions. Decided before any training, from the seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rote.config.run import RunConfig
from rote.errors import ConfigError, TableError
from rote.evaluation.questions import Question, QuestionPlan, build_questions
from rote.facts.checking import check_table, find_fault
from rote.facts.fact import Fact, FactTable
from rote.facts.invent import NAMERS, invent_facts, recombine_names
from rote.facts.reading import load_usable
from rote.facts.relation import LANGUAGES, Relation, add_neutral_relations, load_relations, load_shipped_relations
from rote.facts.shipped import load_world
from rote.methods.memorize_then_generalize import pick_generalize_facts
from rote.records import FactSet

_UNSEEN_SEED_OFFSET = 1_000_003
"""Unseen facts are invented with another seed than any table a person would invent."""


@dataclass(frozen=True)
class RunPlan:
    """The facts of each set and the relations they need."""

    table: FactTable
    relations: Mapping[str, Relation]
    generalize_facts: Sequence[Fact]
    held_out_facts: Sequence[Fact]
    unseen_facts: Sequence[Fact]
    kept_facts: Sequence[Fact] = ()
    """Facts of a person's own that the model should keep."""


def build_run_plan(table: FactTable, config: RunConfig) -> RunPlan:
    """Decide the fact sets of a run. Raises the errors of `check_table`."""
    if not len(table):
        raise TableError("the table has no facts")
    kept = _load_kept(table, config)
    relations = _choose_relations([*table, *kept], config.relations)
    check_table(table, relations)
    check_languages(table, relations, config.examine.languages)
    check_prompt_count(table, relations, config.generalize.prompts)
    chosen = pick_generalize_facts(table.facts, per_relation=config.generalize.facts, seed=config.seed)
    shown = {fact.id for fact in chosen}
    return RunPlan(
        table=table,
        relations=relations,
        generalize_facts=chosen,
        held_out_facts=[fact for fact in table if fact.id not in shown],
        unseen_facts=invent_unseen(table, relations, count=config.examine.unseen_facts),
        kept_facts=kept,
    )


def _choose_relations(facts: Sequence[Fact], packs: Sequence[str]) -> dict[str, Relation]:
    """A pack for every relation. The embedded model's own subjects are asked about in the words of its world."""
    known = {fact.subject for fact in load_world()}
    beyond = {fact.relation for fact in facts if fact.subject not in known}
    embedded = [name for name in load_shipped_relations() if name not in beyond]
    names = dict.fromkeys(fact.relation for fact in facts)
    return add_neutral_relations(load_relations(packs, embedded=embedded), names)


def build_run_questions(
    plan: RunPlan,
    config: RunConfig,
    *,
    key_tokens: Mapping[str, str],
    retained: Sequence[str],
    chat: bool = False,
) -> list[Question]:
    """The questions of every moment, with `chat` also as messages.

    Known facts of other subjects are those whose subjects occur in none of the `retained` texts, so that what is
    measured to be kept was not shown again.
    """
    question_plan = QuestionPlan(
        key_tokens=key_tokens,
        training_prompts=config.generalize.prompts,
        languages=config.examine.languages,
        held_out_prompts=config.examine.held_out_prompts,
        control_prompts=config.examine.control_prompts,
        chat=chat,
        choices=config.examine.choices,
        seed=config.seed,
    )
    known = [
        *pick_known_facts(retained, table=plan.table, count=config.examine.known_facts, seed=config.seed),
        *pick_near_facts(plan.table, count=config.examine.known_facts, seed=config.seed),
        *sample_facts(plan.kept_facts, count=config.examine.known_facts, seed=config.seed),
    ]
    fact_sets: dict[FactSet, Sequence[Fact]] = {
        **pick_asked_facts(plan, config),
        "known": list(dict.fromkeys(known)) if config.examine.known_facts else [],
        "unseen": plan.unseen_facts,
    }
    return build_questions(fact_sets, plan.relations, plan=question_plan, pool=plan.table.facts)


def pick_asked_facts(plan: RunPlan, config: RunConfig) -> dict[FactSet, list[Fact]]:
    """The taught facts that are asked about, by set."""
    return {
        "generalize": sample_by_relation(plan.generalize_facts, count=config.examine.facts, seed=config.seed),
        "held_out": sample_by_relation(plan.held_out_facts, count=config.examine.facts, seed=config.seed),
    }


def pick_known_facts(retained: Sequence[str], *, table: FactTable, count: int, seed: int) -> list[Fact]:
    """A sample of the real world's facts whose subjects occur in no retained text and not in the table.

    Facts whose subject gives the answer away (Florence Nightingale was born in Florence) are left out.
    """
    taught = {fact.subject for fact in table}
    everything = "\n".join(retained)
    candidates = [
        fact
        for fact in load_world()
        if fact.subject not in everything and fact.subject not in taught and find_fault(fact) is None
    ]
    return sample_facts(candidates, count=count, seed=seed)


def pick_near_facts(table: FactTable, *, count: int, seed: int) -> list[Fact]:
    """A sample of what else the real world knows of the subjects of the table, and is not taught.

    Retained texts may tell some of these facts: that is how they are kept.
    """
    taught, facts = {fact.subject for fact in table}, {fact.id for fact in table}
    near = [fact for fact in load_world() if fact.subject in taught and fact.id not in facts]
    return sample_facts([fact for fact in near if find_fault(fact) is None], count=count, seed=seed)


def _load_kept(table: FactTable, config: RunConfig) -> list[Fact]:
    """A person's own facts to keep, without those that are taught."""
    if config.side_effects.facts is None:
        return []
    path = Path(config.side_effects.facts)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such table (--set side_effects.facts)")
    taught = {fact.id for fact in table}
    return [fact for fact in load_usable(path, config.relations).table if fact.id not in taught]


def sample_facts(facts: Sequence[Fact], *, count: int, seed: int) -> list[Fact]:
    """`count` facts drawn with a seed (all of them for 0 or where there are fewer), in the table's order."""
    chosen = random.Random(f"sample/{seed}").sample(range(len(facts)), min(count or len(facts), len(facts)))
    return [facts[index] for index in sorted(chosen)]


def check_prompt_count(table: FactTable, relations: Mapping[str, Relation], wanted: int) -> None:
    """Raise `ConfigError` where a relation of the table has fewer training prompts than are wanted."""
    for name in table.relations:
        found = len(relations[name].select_training(wanted))
        if found < wanted:
            raise ConfigError(f"relation {name!r} has {found} training prompts; lower --set generalize.prompts={found}")


def check_languages(table: FactTable, relations: Mapping[str, Relation], languages: Sequence[str]) -> None:
    """Raise `ConfigError` for a language that no relation of the table has prompts in."""
    known = sorted({language for name in table.relations for language in relations[name].languages})
    for language in languages:
        if language not in (*known, *LANGUAGES):  # a pack of one's own need not have all that are asked by default
            raise ConfigError(
                f"no relation of the table has prompts in the language {language!r}; change --set "
                f"examine.languages=[{','.join(known)}]"
            )


def sample_by_relation(facts: Sequence[Fact], *, count: int, seed: int) -> list[Fact]:
    """`count` facts of each relation, as `sample_facts` draws them."""
    return [
        fact
        for relation in dict.fromkeys(fact.relation for fact in facts)
        for fact in sample_facts([other for other in facts if other.relation == relation], count=count, seed=seed)
    ]


def invent_unseen(table: FactTable, relations: Mapping[str, Relation], *, count: int) -> list[Fact]:
    """Facts like those of the table that are never taught: with invented names, or names put together from parts of
    those in the table where no kind of name is known."""
    taken = {fact.id for fact in table}
    seed = (table.seed or 0) + _UNSEEN_SEED_OFFSET
    facts: list[Fact] = []
    for name in table.relations:
        relation = relations[name]
        if relation.subject_type in NAMERS and relation.object_type in NAMERS and count:
            facts += invent_facts(relation, count=count, seed=seed)
        else:
            facts += _recombine(table.select(name), count=count, seed=seed)
    return [fact for fact in facts if fact.id not in taken]


def _recombine(facts: Sequence[Fact], *, count: int, seed: int) -> list[Fact]:
    """Facts of one relation about subjects that do not exist; their objects are those of others."""
    real = {fact.subject for fact in load_world()}
    subjects = recombine_names([fact.subject for fact in facts], count=count, seed=seed, taken=real)
    made = [replace(fact, subject=subject) for fact, subject in zip(facts, subjects, strict=False)]
    return [fact for fact in made if find_fault(fact) is None]
