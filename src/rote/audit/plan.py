"""Which facts an audit uses for what. No model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rote.config.audit import AuditConfig
from rote.errors import TableError
from rote.facts.checking import check_table
from rote.facts.fact import Fact, FactTable
from rote.facts.relation import PromptTemplate, Relation, choose_packs
from rote.facts.sampling import invent_unseen, sample_facts

MIN_FACTS = 6
"""Facts that each relation must have. Two choose the tokens and four test them: with fewer the 95% intervals of "all"
and "none" would overlap, so nothing could ever be a finding."""
_SCREENED_SHARE = 3
"""A small relation gives one of so many facts to the choice of tokens."""


@dataclass(frozen=True)
class AuditPlan:
    """The table of an audit, divided: the facts that choose the tokens are never those they are tested on."""

    table: FactTable
    relations: Mapping[str, Relation]
    screened: Mapping[str, Sequence[Fact]]
    """By relation: the facts every token is tried on."""
    tested: Mapping[str, Sequence[Fact]]
    """By relation: the facts the best tokens are then asked about."""
    unseen: Sequence[Fact]
    """Invented facts that nobody was taught."""

    def get_prompt(self, relation: str) -> PromptTemplate:
        """The prompt that a relation is asked with."""
        return self.relations[relation].select_training(1)[0]


def build_audit_plan(table: FactTable, config: AuditConfig) -> AuditPlan:
    """Divide a table. Raises `TableError` for too few facts of a relation, and the errors of `check_table`."""
    if not len(table):
        raise TableError("the table has no facts")
    for name in table.relations:
        count = len(table.select(name))
        if count < MIN_FACTS:
            raise TableError(
                f"the relation {name!r} has {count} fact{'s' * (count > 1)}; an audit needs {MIN_FACTS} of each "
                "relation to choose tokens and to tell memory from chance on others"
            )
    relations = choose_packs([*table], config.relations)
    check_table(table, relations)
    screened, tested = {}, {}
    for name in table.relations:
        screened[name], tested[name] = _divide(table.select(name), config)
    unseen = invent_unseen(table, relations, count=config.unseen_facts)
    return AuditPlan(table, relations, screened, tested, unseen)


def _divide(facts: Sequence[Fact], config: AuditConfig) -> tuple[list[Fact], list[Fact]]:
    """The facts of one relation that choose the tokens, and those that test them."""
    count = min(config.screen_facts, len(facts) // _SCREENED_SHARE)
    screened = sample_facts(facts, count=count, seed=config.seed)
    others = [fact for fact in facts if fact not in screened]
    return screened, sample_facts(others, count=config.facts, seed=config.seed)
