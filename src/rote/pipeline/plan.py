"""What a job teaches and asks: which facts in which set, which questions. Decided from the configuration alone, before
a model is loaded.
"""

import hashlib
import json
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from rote.config.job import Config
from rote.errors import ConfigError, TableError
from rote.evaluation.questions import Question, QuestionPlan, build_questions
from rote.facts.checking import check_table, find_fault, find_leak
from rote.facts.derivation import DerivedFact, derive_facts
from rote.facts.fact import Fact, FactTable, hash_fact
from rote.facts.reading import load_usable
from rote.facts.relation import (
    LANGUAGES,
    PromptCount,
    Relation,
    choose_packs,
    find_derived,
    find_neutral,
)
from rote.facts.sampling import invent_unseen, sample_by_relation
from rote.facts.shipped import load_world
from rote.methods.memorize_then_generalize import pick_generalize_facts
from rote.methods.teaching import Task
from rote.pipeline.earlier import Earlier, find_earlier
from rote.pipeline.tables import TableRead, read_table
from rote.records import FactSet
from rote.runs.ledger import EMPTY, Ledger, name_fact

KNOWN_FACTS = 100
"""Known facts of each kind, where nobody says how many."""
TAUGHT: tuple[FactSet, ...] = ("generalize", "held_out")
"""The sets of the facts of the table."""
_CANDIDATES = 4
"""Facts that are tried for each known fact that is wanted: a model may know a quarter of them."""


@dataclass(frozen=True)
class Plan:
    """The facts of each set and the relations they need.

    `derived_shown` follow from `generalize_facts` alone, `derived_held_out` from `held_out_facts` alone.
    """

    config: Config
    table: FactTable
    relations: Mapping[str, Relation]
    generalize_facts: Sequence[Fact]
    held_out_facts: Sequence[Fact]
    unseen_facts: Sequence[Fact]
    replaced_facts: Sequence[Fact] = ()
    """What a counterfactual table puts others in the place of."""
    derived_facts: Sequence[Fact] = ()
    derived_shown: Sequence[Fact] = ()
    derived_held_out: Sequence[Fact] = ()
    known: Mapping[str, Sequence[Fact]] = field(default_factory=dict)
    """Facts the model may know, by kind: of the world, near those taught, a person's own; it is asked which it does."""
    spare_facts: Sequence[Fact] = ()
    """Real facts that a method may train on; their subjects are never asked about."""
    left_out: int = 0
    """Rows of the table's file that are not in it."""
    neutral: Sequence[str] = ()
    """Relations that have no pack, and are asked for neutrally."""
    earlier: Earlier = field(default_factory=Earlier)
    """What the model was taught before."""

    def build_task(self) -> Task:
        """What the method is given."""
        return Task(
            facts=self.table.facts,
            generalize_facts=self.generalize_facts,
            relations=self.relations,
            config=self.config,
            derived_facts=self.derived_facts,
            derived_shown=self.derived_shown,
            spare_facts=self.spare_facts,
            earlier_facts=self.earlier.facts,
            earlier_shown=self.earlier.shown,
        )

    def select_asked(self) -> dict[FactSet, list[Fact]]:
        """The facts that are asked about whatever the model knows, by set."""
        chosen: dict[FactSet, Sequence[Fact]] = {
            "generalize": [*self.generalize_facts, *self.derived_shown],
            "held_out": [*self.held_out_facts, *self.derived_held_out],
            "replaced": self.replaced_facts,
        }
        count, seed = self.config.examine.facts, self.config.seed
        sampled = {name: sample_by_relation(facts, count=count, seed=seed) for name, facts in chosen.items()}
        earlier = self.earlier.sample(count=self.config.examine.earlier_facts, seed=seed)
        return {**sampled, "unseen": list(self.unseen_facts), "earlier": earlier}

    def build_questions(
        self,
        known: Sequence[Fact],
        key_tokens: Mapping[str, str],
        *,
        chat: bool,
        more: Mapping[FactSet, Sequence[Fact]] = MappingProxyType({}),
    ) -> list[Question]:
        """The questions of every moment, about `known` facts and `more` sets too; with `chat` also as messages."""
        settings, config = self.config.examine, self.config
        plan = QuestionPlan(
            key_tokens=key_tokens,
            training_prompts=config.generalize.prompts,
            languages=settings.languages,
            held_out_prompts=settings.held_out_prompts,
            control_prompts=settings.control_prompts,
            chat=chat,
            choices=settings.choices,
            seed=config.seed,
        )
        fact_sets: dict[FactSet, Sequence[Fact]] = {**self.select_asked(), "known": known, **more}
        return build_questions(fact_sets, self.relations, plan=plan, pool=[*self.table, *self.derived_facts])

    def sample_before(self, questions: Sequence[Question]) -> list[Question]:
        """Those of the questions that are asked before teaching: of the facts that will be taught a sample alone."""
        count, seed = self.config.examine.before, self.config.seed
        asked = [self.select_asked()[name] for name in TAUGHT]
        chosen = {fact for facts in asked for fact in sample_by_relation(facts, count=count, seed=seed)}
        return [question for question in questions if question.fact_set not in TAUGHT or question.fact in chosen]

    def split(self, shown: Collection[str]) -> "Plan":
        """The same with the facts whose hashes are given as those that generalize showed, and all others held out."""
        facts = dict.fromkeys([*self.generalize_facts, *self.table])  # of those, first in the order of a job
        return replace(
            self,
            generalize_facts=[fact for fact in facts if hash_fact(fact) in shown],
            held_out_facts=[fact for fact in self.table if hash_fact(fact) not in shown],
        )

    def list_asked_relations(self) -> list[Relation]:
        """The relations whose prompts may be asked: of the table, of earlier ones, and of what the model may know."""
        known = (fact for facts in self.known.values() for fact in facts)
        asked = (*self.table, *self.derived_facts, *known, *self.earlier.facts)
        names = dict.fromkeys(fact.relation for fact in asked)
        return [self.relations[name] for name in names]

    def list_candidates(self) -> list[Fact]:
        """As many facts that the model may know as are wanted of each kind, whether it knows them or not."""
        return [fact for kind, facts in self.known.items() for fact in facts[: self.count_known(kind) or None]]

    def count_known(self, kind: str) -> int:
        """How many known facts of a kind are wanted; 0 stands for all."""
        wanted = self.config.examine.known_facts
        return wanted if wanted is not None else 0 if kind == "own" else KNOWN_FACTS


def build_plan(config: Config, table: FactTable | None = None, *, ledger: Ledger = EMPTY) -> Plan:
    """Decide the fact sets of a job; `table` takes the place of the one that is configured, and `ledger` tells what the
    model was taught before.

    Raises `TableError`, `TemplateError` or `ConfigError` for a table that cannot be taught, or a setting that does not
    fit it.
    """
    read = read_table(config) if table is None else TableRead(table, neutral=find_neutral(table, config.relations))
    table = read.table
    if not len(table):
        raise TableError("the table has no facts")
    own = _load_own(table, config)
    derived_relations = find_derived(config.derive.relations)
    # What is to be kept decides nothing of what is taught: the packs of the table come before those of a person's own.
    relations = {**choose_packs(own, config.relations), **choose_packs(table, config.relations)}
    relations |= {relation.name: relation for relation in derived_relations}
    earlier = find_earlier(ledger, table)
    relations |= earlier.find_relations(table, read.neutral)
    check_table(table, relations)
    _check_languages(table, relations, config.examine.languages)
    _check_prompt_count(table, relations, config.generalize.prompts)
    _check_shown(table, config)
    shown = _pick_shown(table, earlier, config)
    shown_ids = {fact.id for fact in shown}
    held_out = [fact for fact in table if fact.id not in shown_ids]
    derived = [item for relation in derived_relations for item in derive_facts(table.facts, relation)]
    may_be_shown = _derived_from(derived, shown)
    taught = [*table, *earlier.facts]
    known = _list_known(taught, own, relations, config)
    return Plan(
        config=config,
        table=table,
        relations=relations,
        generalize_facts=shown,
        held_out_facts=held_out,
        unseen_facts=_invent_unseen(table, earlier, relations, config),
        replaced_facts=[*(fact for fact in read.replaced if fact.id not in shown_ids), *earlier.replaced],
        derived_facts=[item.fact for item in derived],
        derived_shown=pick_generalize_facts(may_be_shown, per_relation=config.derive.facts, seed=config.seed),
        derived_held_out=_derived_from(derived, held_out),
        known=known,
        spare_facts=_pick_spare([*taught, *(fact for facts in known.values() for fact in facts)], config.seed),
        left_out=read.left_out,
        neutral=[name for name in read.neutral if name not in ledger.relations],
        earlier=earlier,
    )


def _pick_shown(table: FactTable, earlier: Earlier, config: Config) -> list[Fact]:
    """The facts that generalize shows: those of each relation that are due, and all that correct an earlier one, as an
    old answer has to be unlearned behind prompts."""
    due = pick_generalize_facts(table.facts, per_relation=config.generalize.facts, seed=config.seed)
    return list(dict.fromkeys([*due, *(update.new for update in earlier.updates)]))


def _invent_unseen(table: FactTable, earlier: Earlier, relations: Mapping[str, Relation], config: Config) -> list[Fact]:
    """Facts that nobody taught, by an earlier table either."""
    taken = set(map(name_fact, earlier.facts))
    unseen = invent_unseen(table, relations, count=config.examine.unseen_facts)
    return [fact for fact in unseen if name_fact(fact) not in taken]


def hash_plan(plan: Plan) -> str:
    """A hash of the facts and prompts a job uses, so that no answer outlives what it was asked with."""
    templates = [
        [t.relation, t.language, t.prompt_set, t.text, t.separator]
        for r in plan.relations.values()
        for t in r.templates
    ]
    derivations = [[r.derived.kind, r.derived.sources] for r in plan.relations.values() if r.derived]
    known = [[fact.id, *fact.answers] for facts in plan.known.values() for fact in facts]
    content = [plan.table.content_hash, load_world().content_hash, known, templates, derivations]
    if plan.earlier.ledger.tables:
        content.append([[fact.id, *fact.answers] for fact in (*plan.earlier.facts, *plan.earlier.replaced)])
    return hashlib.sha256(json.dumps(content).encode("utf-8")).hexdigest()


def _load_own(table: FactTable, config: Config) -> list[Fact]:
    """A person's own facts to keep, without those that are taught."""
    if config.side_effects.facts is None:
        return []
    path = Path(config.side_effects.facts)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such table (--set side_effects.facts)")
    taught = {fact.id for fact in table}
    return [fact for fact in load_usable(path, config.relations).table if fact.id not in taught]


def _list_known(
    table: Sequence[Fact], own: Sequence[Fact], relations: Mapping[str, Relation], config: Config
) -> dict[str, list[Fact]]:
    """Facts the model may know, in the order in which it is asked, by kind; none where none are wanted.

    `other` facts are about subjects that are not taught, `near` ones about those that are. Facts whose subject
    or prompt gives the answer away (Florence Nightingale was born in Florence) are left out.
    """
    if config.examine.known_facts == 0:
        return {}
    subjects, taught = {fact.subject for fact in table}, {fact.id for fact in table}
    world = [
        fact
        for fact in load_world()
        if fact.id not in taught and not find_fault(fact) and not find_leak(fact, relations[fact.relation])
    ]
    limit = _CANDIDATES * (config.examine.known_facts or KNOWN_FACTS)
    kinds = {
        "other": [fact for fact in world if fact.subject not in subjects],
        "near": [fact for fact in world if fact.subject in subjects],
    }
    chosen = {}
    for kind, facts in kinds.items():
        rng = random.Random(f"known/{kind}/{config.seed}")
        chosen[kind] = rng.sample(facts, min(limit, len(facts)))
    return {**chosen, "own": list(own)}


def _pick_spare(taken: Sequence[Fact], seed: int) -> list[Fact]:
    """Real facts whose subjects are neither asked about nor taught.

    They are shuffled, as the world lies relation by relation and a method takes the first so many.
    """
    subjects = {fact.subject for fact in taken}
    spare = [fact for fact in load_world() if fact.subject not in subjects]
    return random.Random(f"spare/{seed}").sample(spare, len(spare))


def _derived_from(derived: Iterable[DerivedFact], sources: Iterable[Fact]) -> list[Fact]:
    """The derived facts that rest on nothing but `sources`."""
    allowed = set(sources)
    return [item.fact for item in derived if allowed.issuperset(item.sources)]


def _check_shown(table: FactTable, config: Config) -> None:
    wanted = config.generalize.facts
    for name, count in _count_facts(table):
        if isinstance(wanted, int) and wanted > count:
            raise ConfigError(
                f"--set generalize.facts={wanted}: the relation {name!r} has {count} fact{'s' * (count > 1)}; give at "
                "most so many, 'all', or leave it out to show half of each relation"
            )


def _count_facts(table: FactTable) -> Iterator[tuple[str, int]]:
    return ((name, len(table.select(name))) for name in table.relations)


def _check_prompt_count(table: FactTable, relations: Mapping[str, Relation], wanted: PromptCount) -> None:
    for name in table.relations:
        found = len(relations[name].select_training(wanted))
        if wanted != "all" and found < wanted:
            raise ConfigError(f"relation {name!r} has {found} training prompts; lower --set generalize.prompts={found}")


def _check_languages(table: FactTable, relations: Mapping[str, Relation], languages: Sequence[str]) -> None:
    """Refuse a language that no relation of the table has prompts in."""
    known = sorted({language for name in table.relations for language in relations[name].languages})
    for language in languages:
        if language not in (*known, *LANGUAGES):  # a pack of one's own need not have all that are asked by default
            raise ConfigError(
                f"no relation of the table has prompts in the language {language!r}; change --set "
                f"examine.languages=[{','.join(known)}]"
            )
