"""What is to be forgotten of a run, decided before its model is loaded: which facts, what stands beside them, what is
asked."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rote.config.forgetting import ForgetConfig
from rote.config.job import Config
from rote.config.loading import load_config
from rote.errors import TableError, shorten
from rote.evaluation.questions import Question, QuestionPlan, build_questions
from rote.facts.fact import Fact, FactTable
from rote.facts.names import touch
from rote.facts.reading import AS_IT_IS, ReadOptions, load_table, load_usable
from rote.facts.sampling import invent_unseen, sample_facts
from rote.methods.forgetting import Forgetting
from rote.pipeline.plan import Plan, build_plan
from rote.records import FactSet
from rote.runs.folder import RunFolder
from rote.runs.ledger import Ledger, load_ledger, name_fact
from rote.runs.opening import check_packs, find_run_of_model

_RATES = {"npo": 0.5, "gradient_difference": 0.2}
"""Learning rates that nobody set, as shares of what the run taught generalize with: the ascent of gradient difference
does not slow down by itself."""
_UNSEEN = 5
"""Facts of each relation that nobody is taught, which are asked beside the others."""


@dataclass(frozen=True)
class ForgetPlan:
    """A finished run, and what is to be forgotten of it. The plan's table is all that was taught."""

    run: RunFolder
    plan: Plan
    settings: ForgetConfig
    facts: Forgetting
    price: Mapping[FactSet, Sequence[Fact]]
    """Taught facts that are asked about and never practised beside what is unlearned: what happens to them is the
    price."""
    unseen: Sequence[Fact]
    """Never taught, and asked beside the others."""
    spare: Sequence[Fact]
    """Never taught, and taught in the place of forgotten ones to see what that alone brings."""
    left_out: int
    """Rows of what is to be forgotten that were left out."""

    @property
    def counts(self) -> list[int]:
        """How many forgotten facts are taught again, each time anew; one at least is left to ask about."""
        most = len(self.facts.forgotten) - 1
        return sorted({count for count in self.settings.relearn.counts if count <= most})

    def draw_relearned(self) -> list[Fact]:
        """The forgotten facts in the order in which they are taught again: more of them hold fewer."""
        facts = list(self.facts.forgotten)
        random.Random(f"relearn/{self.settings.seed}").shuffle(facts)
        return facts

    def build_questions(self, known: Sequence[Fact], key_tokens: Mapping[str, str], *, chat: bool) -> list[Question]:
        """All that is asked before and after: the forgotten facts in many wordings, and a sample of the rest."""
        config = self.plan.config
        asked = QuestionPlan(
            key_tokens=key_tokens,
            training_prompts=self.settings.prompts,
            languages=config.examine.languages,
            held_out_prompts=self.settings.held_out_prompts,
            control_prompts=config.examine.control_prompts,
            chat=chat,
            choices=config.examine.choices,
            seed=self.settings.seed,
        )
        rest: dict[FactSet, Sequence[Fact]] = {**self.price, "unseen": self.unseen, "known": known}
        pool = list(self.plan.table)
        few = replace(asked, held_out_prompts=config.examine.held_out_prompts, control_prompts=1)
        forgotten = build_questions({"forgotten": self.facts.forgotten}, self.facts.relations, plan=asked, pool=pool)
        return [*forgotten, *build_questions(rest, self.facts.relations, plan=few, pool=pool)]

    def build_relearn_questions(
        self, others: Sequence[Fact], taught: Sequence[Fact], key_tokens: Mapping[str, str]
    ) -> list[Question]:
        """What is asked after some facts were taught again: the forgotten ones that were not among them, and those that
        were; nothing that should not bring the object."""
        config = self.plan.config
        asked = QuestionPlan(
            key_tokens=key_tokens,
            training_prompts=self.settings.prompts,
            languages=config.examine.languages,
            held_out_prompts=1,
            choices=0,
            seed=self.settings.seed,
        )
        sets: dict[FactSet, Sequence[Fact]] = {"forgotten": others, "relearned": taught, "unseen": self.unseen}
        questions = build_questions(sets, self.facts.relations, plan=asked)
        return [question for question in questions if question.prompt_set != "control"]


def build_forget_plan(
    model: Path,
    rows: Path,
    settings: ForgetConfig,
    *,
    options: ReadOptions = AS_IT_IS,
    prompts: Sequence[str] = (),
) -> ForgetPlan:
    """Read the run beside a model and the rows that it is to forget. Raises `RunError` where there is no finished run,
    and `TableError` for a row that was not taught."""
    run = find_run_of_model(model)
    config = _load_settings(run, settings, prompts)
    settings = _fit(settings, config.generalize.learning_rate)
    table = load_table(run.table)
    if not prompts:
        check_packs(run, config.relations)
    usable = load_usable(rows, config.relations, options)
    earlier = _load_earlier(run)
    _check_earlier(rows, usable.table, load_ledger(run.model), table)
    forgotten = _match(rows, usable.table, table)
    plan = build_plan(config, table, ledger=earlier)
    price = _pick_price(plan, forgotten, settings)
    facts = _sort(plan, forgotten, price)
    unseen, spare = _invent(facts, plan, settings)
    return ForgetPlan(run, plan, settings, facts, price, unseen, spare, usable.left_out)


def _load_settings(run: RunFolder, settings: ForgetConfig, prompts: Sequence[str]) -> Config:
    """The configuration of the run, for its taught model. All that is left of its table was taught, whatever of it was
    shown; so many facts of each relation may not be left as it showed."""
    config = load_config(Config, run.config, None)
    generalize = config.generalize.model_copy(update={"facts": "all"})
    changes = {"seed": settings.seed, "model": str(run.model), "representations": False, "generalize": generalize}
    return config.model_copy(update={**changes, **({"relations": tuple(prompts)} if prompts else {})})


def _load_earlier(run: RunFolder) -> Ledger:
    """What the model was taught before its run, whose own table is the last."""
    ledger = load_ledger(run.model)
    return Ledger(ledger.tables[:-1], ledger.relations)


def _pick_price(plan: Plan, forgotten: Sequence[Fact], settings: ForgetConfig) -> dict[FactSet, Sequence[Fact]]:
    """Of the taught facts of each relation some that are asked about and not practised, at most half of them."""
    names, ids = {fact.relation for fact in forgotten}, {fact.id for fact in forgotten}
    kept = [fact for fact in plan.table if fact.id not in ids]
    groups: dict[FactSet, Sequence[Fact]] = {
        "neighbours": [fact for fact in kept if fact.relation in names],
        "other_relations": [fact for fact in kept if fact.relation not in names],
        "earlier": plan.earlier.facts,
    }
    return {name: _sample_half(facts, settings) for name, facts in groups.items()}


def _sample_half(facts: Sequence[Fact], settings: ForgetConfig) -> list[Fact]:
    chosen: list[Fact] = []
    for name in dict.fromkeys(fact.relation for fact in facts):
        own = [fact for fact in facts if fact.relation == name]
        count = min(settings.facts or len(own), len(own) // 2)
        chosen += sample_facts(own, count=count, seed=settings.seed) if count else []
    return chosen


def _sort(plan: Plan, forgotten: Sequence[Fact], price: Mapping[FactSet, Sequence[Fact]]) -> Forgetting:
    """What is forgotten, and what is practised beside it: all that was taught but for what the price is measured on."""
    names = {fact.relation for fact in forgotten}
    left_out = {fact.id for facts in (forgotten, *price.values()) for fact in facts}
    held = [fact for fact in (*plan.table, *plan.earlier.facts) if fact.id not in left_out]
    return Forgetting(
        forgotten,
        [fact for fact in held if fact.relation in names],
        [fact for fact in held if fact.relation not in names],
        plan.relations,
    )


def _fit(settings: ForgetConfig, rate: float) -> ForgetConfig:
    """The settings, where a learning rate that nobody set follows the one of the run's generalize."""
    relearn, again = settings.relearn, {"learning_rate": rate}
    if "learning_rate" not in relearn.model_fields_set:
        relearn = relearn.model_copy(update=again)
    own = {} if "learning_rate" in settings.model_fields_set else {"learning_rate": rate * _RATES[settings.method]}
    return settings.model_copy(update={"relearn": relearn, **own})


def _check_earlier(rows: Path, wanted: FactTable, ledger: Ledger, table: FactTable) -> None:
    """Raise `TableError` for a fact of an earlier table, which the run has not."""
    own = {fact.id for fact in table}
    earlier = {fact.id: older.name for older in ledger.tables for fact in older.facts if fact.id not in own}
    found = next((fact for fact in wanted if fact.id in earlier), None)
    if found:
        raise TableError(
            f"{rows}: {shorten(found.subject)} {found.relation} was taught in an earlier table "
            f"({shorten(earlier[found.id])}), which this run does not have; forget it in the run that taught it, or "
            "take the row out"
        )


def _match(rows: Path, wanted: FactTable, taught: FactTable) -> list[Fact]:
    """The facts of the run that the rows name: each whole, by the object it was taught with."""
    known = {fact.id: fact for fact in taught}
    strange = [fact for fact in wanted if fact.id not in known or not _says_the_same(fact, known[fact.id])]
    if strange:
        first = strange[0]
        was = known.get(first.id)
        why = f"; it was taught {shorten(was.object)}" if was else ""
        more = f" (and {len(strange) - 1} more)" if len(strange) > 1 else ""
        raise TableError(
            f"{rows}: {shorten(first.subject)} {first.relation} {shorten(first.object)} was not taught{why}{more}; "
            "take out the rows that are not in the run's table.jsonl"
        )
    if not len(wanted):
        raise TableError(f"{rows}: names no fact; write a row for each that is to be forgotten")
    if len(wanted) == len(taught):
        raise TableError(f"{rows}: names all facts that the run taught; use the model that it began from")
    return [known[fact.id] for fact in wanted]


def _says_the_same(row: Fact, taught: Fact) -> bool:
    """Whether a row names the object that was taught, and none that was not."""
    return row.object == taught.object and set(row.answers) <= set(taught.answers)


def _invent(facts: Forgetting, plan: Plan, settings: ForgetConfig) -> tuple[list[Fact], list[Fact]]:
    """Facts like the forgotten ones that nobody was taught: some of each relation to ask about, and some to teach."""
    names, table = list(dict.fromkeys(fact.relation for fact in facts.forgotten)), plan.table
    like = FactTable(tuple(fact for name in names for fact in table.select(name)), seed=table.seed)
    wanted = -(-max(settings.relearn.counts, default=0) // len(names))
    taken = set(map(name_fact, plan.earlier.facts))
    made = invent_unseen(like, plan.relations, count=_UNSEEN + wanted)
    groups = [[fact for fact in made if fact.relation == name and name_fact(fact) not in taken] for name in names]
    by_relation = [_spare_objects(group, facts) for group in groups]
    asked = [fact for group in by_relation for fact in group[:_UNSEEN]]
    return asked, [fact for place in range(wanted) for group in by_relation for fact in group[_UNSEEN:][place:][:1]]


def _spare_objects(made: Sequence[Fact], facts: Forgetting) -> list[Fact]:
    """Facts of one relation without an object that is to be forgotten: teaching it would bring back what is asked for.
    Where names of objects are taken from the table, those of facts that are kept have to do; where there are none, no
    such fact is left."""
    names = {fact.relation for fact in made}
    gone = [name for fact in facts.forgotten if fact.relation in names for name in fact.answers]
    left = [fact for fact in facts.neighbours if fact.relation in names and not touch(fact.answers, gone)]
    found = []
    for number, fact in enumerate(made):
        if not touch(fact.answers, gone):
            found.append(fact)
        elif left:
            found.append(replace(fact, objects=left[number % len(left)].objects))
    return found
