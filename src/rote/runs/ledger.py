"""The ledger of a model: the tables it was taught so far, in a file of its own beside its weights.

It holds what a later run needs to know of them: the facts, the prompts that ask for them, the key token of each
relation, and how well each table was answered after each table. It is plain JSON and holds the facts as they were
taught: whoever passes on a model's folder passes them on too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rote.errors import ModelError, first_line, shorten
from rote.facts.fact import Fact, FactObject, find_name_fault, find_relation_fault
from rote.facts.names import squeeze
from rote.facts.relation import SUBJECT, Relation
from rote.facts.sampling import sample_facts
from rote.figures import FigureRow
from rote.limits import get_limit
from rote.runs.files import replace_file
from rote.text_files import read_text

LEDGER_FILE = "ledger.json"


@dataclass(frozen=True)
class TaughtTable:
    """One table that was taught, as far as its facts still hold."""

    name: str
    hash: str
    """Of the whole table as it was taught (`FactTable.content_hash`)."""
    count: int
    """Facts that were taught; in the ledger are those that hold still, and of a very large table a sample."""
    facts: tuple[Fact, ...]
    keys: Mapping[str, str]
    """Relation -> key token; none where it was taught without."""
    shown: frozenset[str]
    """The ids of the facts that were shown behind prompts, not by rote alone."""
    asked: frozenset[str]
    """The ids of those that were asked about at the end of its run."""
    found: tuple[FigureRow | None, ...]
    """Accuracy on held-out prompts once it was taught: of every table so far in order, its own last. None where nothing
    was asked."""


@dataclass(frozen=True)
class Ledger:
    """All tables of a model in the order in which they were taught, and the prompts of their relations."""

    tables: tuple[TaughtTable, ...] = ()
    relations: Mapping[str, Relation] = field(default_factory=dict)


EMPTY = Ledger()


def load_ledger(folder: Path) -> Ledger:
    """The ledger of a model's folder; an empty one where it has none. Raises `ModelError` where it is damaged."""
    path = folder / LEDGER_FILE
    if not path.is_file():
        return Ledger()
    try:
        return _read(json.loads(read_text(path, limit="ledger-bytes")))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: is damaged ({_explain(error)}); put it back as the run wrote it, or delete it to go on without "
            "what it says of earlier tables"
        ) from error


def save_ledger(ledger: Ledger, folder: Path) -> None:
    """Write the ledger into a model's folder, whole or not at all; where it would be larger than what may be read
    again, with a sample of the facts of its largest tables."""
    text = _write(ledger)
    while len(text.encode("utf-8")) > get_limit("ledger-bytes") and any(table.facts for table in ledger.tables):
        ledger = _halve_largest(ledger)
        text = _write(ledger)
    with replace_file(folder / LEDGER_FILE) as draft:
        draft.write_text(text, encoding="utf-8")


def name_fact(fact: Fact) -> tuple[str, str]:
    """What makes two facts of different tables the same one, or one a correction of the other."""
    return fact.relation, squeeze(fact.subject)


def add_table(ledger: Ledger, table: TaughtTable, relations: Mapping[str, Relation]) -> Ledger:
    """The ledger after one more table: what it teaches anew, or otherwise, no longer counts as taught by others."""
    taught = set(map(name_fact, table.facts))
    before = [_keep(older, [fact for fact in older.facts if name_fact(fact) not in taught]) for older in ledger.tables]
    return Ledger((*before, table), {**ledger.relations, **relations})


def forget_facts(ledger: Ledger, forgotten: Sequence[Fact]) -> Ledger:
    """The ledger of a model that was made to forget facts: they no longer count as taught."""
    gone = set(map(name_fact, forgotten))
    left = [[fact for fact in table.facts if name_fact(fact) not in gone] for table in ledger.tables]
    return replace(ledger, tables=tuple(map(_keep, ledger.tables, left)))


def _keep(table: TaughtTable, facts: Sequence[Fact]) -> TaughtTable:
    ids = {fact.id for fact in facts}
    return replace(table, facts=tuple(facts), shown=table.shown & ids, asked=table.asked & ids)


def _halve_largest(ledger: Ledger) -> Ledger:
    largest = max(ledger.tables, key=lambda table: len(table.facts))
    half = sample_facts(largest.facts, count=len(largest.facts) // 2, seed=0) if len(largest.facts) > 1 else []
    return replace(ledger, tables=tuple(_keep(t, half) if t is largest else t for t in ledger.tables))


def _write(ledger: Ledger) -> str:
    content = {
        "version": 1,
        "tables": [_write_table(table) for table in ledger.tables],
        "relations": [asdict(relation) for relation in ledger.relations.values()],
    }
    return json.dumps(content, ensure_ascii=False, indent=None)


def _write_table(table: TaughtTable) -> dict[str, Any]:
    rows = [
        {
            "subject": fact.subject,
            "relation": fact.relation,
            "objects": [[item.name, *item.aliases] for item in fact.objects],
            "shown": fact.id in table.shown,
            "asked": fact.id in table.asked,
        }
        for fact in table.facts
    ]
    plain = {"name": table.name, "hash": table.hash, "count": table.count, "keys": dict(table.keys)}
    return {**plain, "found": list(table.found), "facts": rows}


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    subject: str
    relation: str
    objects: list[list[str]]
    shown: bool
    asked: bool


_Share = Annotated[float, Field(ge=0, le=1)]


class _Figure(BaseModel):
    mean: _Share
    low: _Share
    high: _Share
    n: Annotated[int, Field(ge=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    hash: str
    count: int
    keys: dict[str, str]
    found: list[_Figure | None]
    facts: list[_Row]


class _Content(BaseModel):
    """The file as it stands."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    tables: list[_Table]
    relations: list[Relation]


def _read(content: Any) -> Ledger:
    read = _Content.model_validate(content)
    relations = {relation.name: relation for relation in read.relations}
    ledger = Ledger(tuple(_build_table(table) for table in read.tables), relations)
    for relation in relations.values():
        _check_relation(relation)
    for number, table in enumerate(ledger.tables, start=1):
        _check_table(table, number, relations)
    return ledger


def _build_table(table: _Table) -> TaughtTable:
    facts = [(row, _build_fact(row)) for row in table.facts]
    return TaughtTable(
        name=table.name,
        hash=table.hash,
        count=table.count,
        facts=tuple(fact for _, fact in facts),
        keys=table.keys,
        shown=frozenset(fact.id for row, fact in facts if row.shown),
        asked=frozenset(fact.id for row, fact in facts if row.asked),
        found=tuple(_read_figure(figure) if figure else None for figure in table.found),
    )


def _read_figure(figure: _Figure) -> FigureRow:
    return {"mean": figure.mean, "low": figure.low, "high": figure.high, "n": figure.n}


def _build_fact(row: _Row) -> Fact:
    if not row.objects or not all(row.objects):
        raise ValueError(f"{shorten(row.subject)} has no object")
    for text in (row.subject, *(name for names in row.objects for name in names)):
        if fault := find_name_fault(text):
            raise ValueError(f"a name {fault}")
    return Fact(row.subject, row.relation, tuple(FactObject(name, tuple(more)) for name, *more in row.objects))


def _check_table(table: TaughtTable, number: int, relations: Mapping[str, Relation]) -> None:
    if len(table.found) != number:
        raise ValueError(f"table {number} has {len(table.found)} figures and not {number}")
    missing = {fact.relation for fact in table.facts} - relations.keys()
    if missing:
        raise ValueError(f"it has no prompts of the relation {shorten(min(missing))}")


def _check_relation(relation: Relation) -> None:
    if fault := find_relation_fault(relation.name):
        raise ValueError(f"a relation's name {fault}")
    for template in relation.templates:
        if template.text.count(SUBJECT) != 1 or template.relation != relation.name:
            raise ValueError(f"the prompt {shorten(template.text)} is none of {shorten(relation.name)}")
    if not relation.select_training(1):
        raise ValueError(f"the relation {shorten(relation.name)} has no training prompt")


def _explain(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"at {shorten('.'.join(map(str, first['loc'])) or 'its begin')}: {first['msg'].lower()}"
    return first_line(error)
