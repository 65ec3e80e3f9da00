"""The table of a job: read from a file, shipped, or made; and the facts that a made one replaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rote.config.job import Config, TableConfig
from rote.errors import ConfigError
from rote.facts.checking import find_leak
from rote.facts.counterfactual import swap_objects
from rote.facts.fact import Fact, FactTable
from rote.facts.invent import invent_table
from rote.facts.linked_table import invent_linked_table
from rote.facts.reading import ReadOptions, load_usable
from rote.facts.relation import INJECTED_RELATIONS, pick_relations
from rote.facts.sampling import sample_facts
from rote.facts.shipped import load_fictional, load_world

LINKS = {"educated_at": "mother"}
"""In a linked table, whose university is told: that of the mothers."""
_MADE = 100
"""Facts of each relation of a table that is made."""
_TABLE_SEED = 1_000


def name_table(settings: TableConfig) -> str:
    """What a table is called in a report."""
    return Path(settings.file).name if settings.file else f"{settings.kind} facts"


@dataclass(frozen=True)
class TableRead:
    """A table, the facts it replaces, and what a person should know of how it was read."""

    table: FactTable
    replaced: Sequence[Fact] = ()
    left_out: int = 0
    neutral: Sequence[str] = ()


def read_table(config: Config) -> TableRead:
    """The table that a job is configured to teach. Raises `TableError` or `ConfigError` for one that cannot be."""
    settings = config.table
    if settings.file is not None:
        options = ReadOptions(settings.columns, settings.merge_repeats, settings.skip_faulty)
        usable = load_usable(Path(settings.file), config.relations, options)
        return TableRead(_cut(usable.table, settings), (), usable.left_out, usable.neutral)
    if settings.kind == "fictional":
        return TableRead(_cut(load_fictional(), settings))
    return _make_table(settings.kind, settings.relations or INJECTED_RELATIONS, settings.count or _MADE, config.seed)


@cache
def _make_table(kind: str, names: tuple[str, ...], count: int, seed: int) -> TableRead:
    relations = pick_relations(names)
    if kind == "invented":
        return TableRead(invent_table(relations, count=count, seed=_TABLE_SEED + seed))
    if kind == "linked":
        links = {name: source for name, source in LINKS.items() if {name, source} <= set(names)}
        return TableRead(invent_linked_table(relations, links=links, count=count, seed=_TABLE_SEED + seed))
    real = [
        fact
        for relation in relations
        for fact in sample_facts(load_world().select(relation.name), count=count, seed=seed)
    ]
    packs = {relation.name: relation for relation in relations}
    # A new object may stand in a prompt of its relation ("country" for a genre), and would not be taught.
    swapped = [fact for fact in swap_objects(real, seed=seed) if find_leak(fact, packs[fact.relation]) is None]
    taught = {fact.id for fact in swapped}
    return TableRead(FactTable(tuple(swapped)), [fact for fact in real if fact.id in taught])


def _cut(table: FactTable, settings: TableConfig) -> FactTable:
    """The relations of a table that are wanted, each with as many facts. Raises `ConfigError` for one it has not."""
    if not settings.relations and settings.count is None:
        return table
    missing = set(settings.relations) - set(table.relations)
    if missing:
        other = "; use kind: invented" if settings.kind == "fictional" else ""
        raise ConfigError(f"table.relations: {name_table(settings)} has no {', '.join(sorted(missing))}{other}")
    kept = [fact for name in settings.relations or table.relations for fact in table.select(name)[: settings.count]]
    return FactTable(tuple(kept), seed=table.seed)
