"""A table as it can be taught: read, with what cannot be asked for left out where that is wanted."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rote.errors import TableError
from rote.facts.checking import check_table, find_leak
from rote.facts.reading import AS_IT_IS, ReadOptions, read_table
from rote.facts.relation import add_neutral_relations, load_relations
from rote.facts.table import FactTable


@dataclass(frozen=True)
class UsableTable:
    """A table whose facts can all be taught and asked for."""

    table: FactTable
    left_out: int
    """Rows and facts that are not in it."""
    neutral: tuple[str, ...]
    """Relations without a pack."""


def load_usable(path: Path, packs: Iterable[str | Path] = (), options: ReadOptions = AS_IT_IS) -> UsableTable:
    """Load a table for teaching. Raises `TableError` or `TemplateError` for the first thing that is wrong with it;
    with `skip_faulty`, only for one that has nothing right."""
    table, left_out = read_table(path, options)
    known = load_relations(packs)
    relations = add_neutral_relations(known, table.relations)
    if options.skip_faulty:
        facts = [fact for fact in table if fact.relation in relations and not find_leak(fact, relations[fact.relation])]
        if not facts:
            raise TableError(f"{path}: none of its facts can be asked for; 'rote facts validate {path}' says why")
        table, left_out = FactTable(tuple(facts), seed=table.seed), left_out + len(table) - len(facts)
    check_table(table, relations)
    return UsableTable(table, left_out, tuple(name for name in table.relations if name not in known))
