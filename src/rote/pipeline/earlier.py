"""What a model was taught before, as its folder's ledger tells it: asked again, rehearsed, and corrected by a later
table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rote.config.job import Config
from rote.config.sizes import fill_in_updates, fit_config
from rote.errors import shorten
from rote.facts.fact import Fact, FactTable
from rote.facts.names import normalize_name, touch
from rote.facts.relation import Relation
from rote.facts.sampling import sample_facts
from rote.models.loading import find_model_folder
from rote.pipeline.tables import read_table
from rote.runs.ledger import Ledger, load_ledger, name_fact

_NAMED = 3
"""Corrections that are named of all there are."""
_MOSTLY = 0.5
"""A table of which more than this share of facts are corrections is one of updates as a whole."""


@dataclass(frozen=True)
class Update:
    """A fact of the table that says something else than an earlier one."""

    old: Fact
    new: Fact


@dataclass(frozen=True)
class Earlier:
    """The earlier tables of a model, beside the table that it is taught now."""

    ledger: Ledger = field(default_factory=Ledger)
    tables: Sequence[tuple[Fact, ...]] = ()
    """By earlier table, the facts that the new table says nothing of."""
    updates: Sequence[Update] = ()

    @cached_property
    def facts(self) -> list[Fact]:
        """All facts that still hold, in the order in which they were taught."""
        return [fact for facts in self.tables for fact in facts]

    @cached_property
    def shown(self) -> list[Fact]:
        """Those of them that were shown behind prompts."""
        pairs = zip(self.ledger.tables, self.tables, strict=True)
        return [fact for table, facts in pairs for fact in facts if fact.id in table.shown]

    @property
    def replaced(self) -> list[Fact]:
        """The old facts whose answers can be told from the new ones, so that they can be asked as leaks."""
        return [update.old for update in self.updates if not touch(update.old.answers, update.new.answers)]

    def sample(self, *, count: int, seed: int) -> list[Fact]:
        """So many facts of each earlier table (0 means all): of those that were asked at the end of their own run, so
        that they can be compared with it."""
        asked = [
            [fact for fact in facts if fact.id in table.asked] or facts
            for table, facts in zip(self.ledger.tables, self.tables, strict=True)
        ]
        return [fact for facts in asked for fact in sample_facts(facts, count=count, seed=seed)]

    def find_relations(self, table: FactTable, neutral: Sequence[str]) -> dict[str, Relation]:
        """The ledger's prompts, by name: of relations that the table has not, and of those it brings no pack for."""
        taught = set(table.relations) - set(neutral)
        return {name: relation for name, relation in self.ledger.relations.items() if name not in taught}


def find_earlier(ledger: Ledger, table: FactTable) -> Earlier:
    """What a ledger says beside a table that is taught now."""
    new = {name_fact(fact): fact for fact in table}
    told_again = [fact for older in ledger.tables for fact in older.facts if name_fact(fact) in new]
    pairs = [Update(fact, new[name_fact(fact)]) for fact in told_again]
    left = [tuple(fact for fact in older.facts if name_fact(fact) not in new) for older in ledger.tables]
    return Earlier(ledger, left, [pair for pair in pairs if _contradict(pair)])


def _contradict(pair: Update) -> bool:
    """Whether no answer of the one is an answer of the other too."""
    old, new = ({normalize_name(name) for name in fact.answers} for fact in (pair.old, pair.new))
    return old.isdisjoint(new)


def load_model_ledger(config: Config) -> Ledger:
    """The ledger of the model that a job begins from; an empty one where it has none."""
    return load_ledger(find_model_folder(config.model))


def fit_to_model(config: Config, parameters: int) -> Config:
    """The configuration for a model with so many parameters, what was left open filled in: for its size, and for a
    table that mostly corrects what it was taught as by the preset `update`."""
    said = config.model_dump(exclude_unset=True)
    return (
        Config.model_validate(fill_in_updates(said, parameters))
        if _is_of_updates(config)
        else fit_config(config, parameters)
    )


def _is_of_updates(config: Config) -> bool:
    ledger = load_model_ledger(config)
    if not ledger.tables:
        return False
    table = read_table(config).table
    return len(find_earlier(ledger, table).updates) > _MOSTLY * len(table)


def describe_earlier(earlier: Earlier, config: Config) -> Iterator[str]:
    """A line on what the model was taught before, and one on what the table corrects of it."""
    tables = earlier.ledger.tables
    if not tables:
        return
    asked = len(earlier.sample(count=config.examine.earlier_facts, seed=config.seed))
    names = ", ".join(shorten(table.name)[1:-1] for table in tables[-_NAMED:])
    more = f"{len(tables) - _NAMED} more and " if len(tables) > _NAMED else ""
    is_own = config.method == Config().method and config.rehearse.share
    rehearsed = f"rehearsed as at most {config.rehearse.share:.0%} of each epoch" if is_own else "not rehearsed"
    yield (
        f"earlier:    {len(tables)} table{'s' * (len(tables) > 1)} taught before ({more}{names}): "
        f"{len(earlier.facts):,} facts, {asked:,} of them asked again, {rehearsed}"
    )
    if earlier.updates:
        yield f"updates:    {_describe_updates(earlier.updates)}"


def _describe_updates(updates: Sequence[Update]) -> str:
    named = ", ".join(
        f"{shorten(pair.new.subject)[1:-1]} {pair.new.relation}: {shorten(pair.old.object)[1:-1]} -> "
        f"{shorten(pair.new.object)[1:-1]}"
        for pair in updates[:_NAMED]
    )
    more = f" and {len(updates) - _NAMED:,} more" if len(updates) > _NAMED else ""
    is_one = len(updates) == 1
    verbs = ("fact was", "counts") if is_one else ("facts were", "count")
    return f"{len(updates):,} {verbs[0]} taught otherwise before and {verbs[1]} as corrected ({named}{more})"
