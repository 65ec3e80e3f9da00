"""Reading and writing tables of facts: CSV, TSV, JSON Lines, Parquet (the formats are described in docs/tables.md).

Every mistake in a file is a `TableError` of one line that names the file, the row, the column and the remedy. A row
is a line of the file, counted from 1 as an editor does, the header included. Files are read line by line with a
limit, so that a file that is no table is refused before it fills the memory.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rote.errors import TableError, TemplateError, shorten
from rote.facts.checking import check_table, find_fault, find_leak
from rote.facts.columns import ALIASES, COLUMNS, ColumnNames
from rote.facts.fact import PROVENANCE, Fact, FactTable
from rote.facts.files import SUFFIXES, Finding, Place, check_file, read_arrow_rows, read_lines
from rote.facts.names import squeeze
from rote.facts.relation import Relation, add_neutral_relations, choose_packs, find_neutral
from rote.facts.rows import SEPARATOR, Entry, read_cell_rows, read_json_rows, read_record

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_KINDS = f"{', '.join(SUFFIXES)} or a folder that `datasets` saved"


@dataclass(frozen=True)
class ReadOptions:
    """How a table is read that is not as it should be."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The file's name for some of our columns (`{"subject": "Name"}`)."""
    merge_repeats: bool = False
    """Whether rows with the same subject and relation make one fact with several objects; otherwise they are errors."""
    skip_faulty: bool = False
    """Whether rows with an error are left out; otherwise the first one is raised."""


AS_IT_IS = ReadOptions()


def load_table(path: Path, options: ReadOptions = AS_IT_IS) -> FactTable:
    """Load a table. Raises `TableError` for the first thing that is wrong with it, or for a file that cannot be read.

    `rote.facts.linting` finds all that is wrong.
    """
    return read_table(path, options)[0]


def read_table(path: Path, options: ReadOptions) -> tuple[FactTable, int]:
    """Load a table, and count the rows that were left out for `skip_faulty`.

    Raises `TableError` for the first thing that is wrong with it, or where nothing of it is right.
    """
    facts: dict[str, Fact] = {}
    left_out = 0
    for entry in read_rows(path, options):
        if not isinstance(entry, Finding):
            fact = entry[1]
            facts[fact.id] = merge_facts(facts[fact.id], fact) if fact.id in facts else fact
        elif entry.is_error:
            if not options.skip_faulty:
                raise TableError(entry.text)
            left_out += 1
    if not facts:
        raise TableError(f"{path}: the table has no facts; add one line for each fact below the header")
    return FactTable(tuple(facts.values())), left_out


@dataclass(frozen=True)
class UsableTable:
    """A table whose facts can all be taught and asked for."""

    table: FactTable
    relations: Mapping[str, Relation]
    """The packs it was checked with: those to teach and to ask it with."""
    left_out: int
    """Rows and facts that are not in it."""
    neutral: tuple[str, ...]
    """Relations without a pack."""


def load_usable(
    path: Path,
    packs: Iterable[str | Path] = (),
    options: ReadOptions = AS_IT_IS,
    *,
    relations: Mapping[str, Relation] | None = None,
) -> UsableTable:
    """Load a table for teaching, with what cannot be asked for left out where `skip_faulty` says so.

    `relations` are packs that are chosen already, as for a second table of a run; by default they are chosen by the
    facts (`rote.facts.relation.choose_packs`). Raises `TableError` or `TemplateError` for the first thing that is wrong
    with the table; with `skip_faulty`, only for one that has nothing right.
    """
    table, left_out = read_table(path, options)
    chosen = choose_packs(table, packs) if relations is None else add_neutral_relations(relations, table.relations)
    if options.skip_faulty:
        facts = [fact for fact in table if fact.relation in chosen and not find_leak(fact, chosen[fact.relation])]
        if not facts:
            raise TableError(f"{path}: none of its facts can be asked for; 'rote facts validate {path}' says why")
        table, left_out = FactTable(tuple(facts), seed=table.seed), left_out + len(table) - len(facts)
    try:
        check_table(table, chosen)
    except (TableError, TemplateError) as error:
        raise type(error)(f"{path}: {error} ('rote facts validate' names every row)") from error
    return UsableTable(table, chosen, left_out, find_neutral(table, packs))


def merge_facts(first: Fact, second: Fact) -> Fact:
    """One fact with the objects of both; what both have is as it was in the first. The sources are those of both."""
    known = set(first.answers)
    more = [
        replace(item, aliases=tuple(alias for alias in item.aliases if alias not in known))
        for item in second.objects
        if item.name not in known
    ]
    provenance = first.provenance.merge(second.provenance)
    return replace(first, objects=(*first.objects, *more), provenance=provenance)


def read_rows(path: Path, options: ReadOptions = AS_IT_IS) -> Iterator[Entry]:
    """Every row of a table as a fact, or as what is wrong with it; nothing is held but the rows' names.

    Raises `TableError` where the file as a whole cannot be read.
    """
    check_file(path)
    yield from _check_rows(path, _read_entries(path, ColumnNames(options.columns)), options.merge_repeats)


def _read_entries(path: Path, names: ColumnNames) -> Iterator[Entry]:
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".parquet":
        for number, record in read_arrow_rows(path, lambda name: names.translate(name) is not None):
            yield from read_record(Place(path, number), record, names)
        return
    if suffix in _SPREADSHEETS:
        raise TableError(
            f"{path}: is a spreadsheet; make a table of it: rote facts from {path} --subject COLUMN --out facts.csv"
        )
    if suffix not in SUFFIXES:
        raise TableError(f"{path}: tables of the kind {suffix!r} cannot be read; use one of {_KINDS}")
    lines = ((number, line) for number, line in read_lines(path) if line.strip())
    if suffix == ".jsonl":
        yield from read_json_rows(path, lines, names)
    else:
        yield from read_cell_rows(path, lines, _DELIMITERS[suffix], names)


def save_table(table: FactTable, path: Path) -> None:
    """Write a table as CSV, or as JSON Lines where the path says `.jsonl`; loading it gives the same facts.

    Raises `TableError` when CSV cannot hold the table. An `OSError` is let through: `rote.runs.files.replace_file`,
    under which files are written whole or not at all, explains it.
    """
    text = _format_json(table) if ".jsonl" in path.suffixes else format_table(table)
    path.write_text(text, encoding="utf-8", newline="\n")


def format_table(table: FactTable) -> str:
    """A table as the text of a CSV file. Raises `TableError` when CSV cannot hold it."""
    rows = [_format_row(fact) for fact in table]
    columns = [
        column for column in (*COLUMNS, ALIASES, *PROVENANCE) if column in COLUMNS or any(row[column] for row in rows)
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# --- what holds for every format -------------------------------------------------------------------------------------


def _check_rows(path: Path, entries: Iterable[Entry], merge: bool) -> Iterator[Entry]:
    # Rows are remembered as one text by a hash of their fact's name, and not as facts: a table may have a million.
    # A name in another case or with other spaces is the same: as two facts, one would give the other's answer away.
    seen: dict[int, str] = {}
    for entry in entries:
        if isinstance(entry, Finding):
            yield entry
            continue
        number, fact = entry
        place, key = Place(path, number), hash(squeeze(fact.id))
        try:
            _check_fact(place, fact)
            if merge:
                _check_spelling(place, fact, seen.get(key))
            else:
                _check_twin(place, fact, seen.get(key))
        except TableError as error:
            yield Finding(str(error))
        else:
            seen[key] = fact.subject if merge else f"{number} {SEPARATOR.join(item.name for item in fact.objects)}"
            yield entry


def _check_fact(place: Place, fact: Fact) -> None:
    fault = find_fault(fact)
    if fault:
        raise place.at("object").error(fault)
    for answer in fact.answers:
        if fact.answers.count(answer) > 1:
            raise place.at("object").error(f"names {shorten(answer)} twice; every object and alias once is enough")


def _check_spelling(place: Place, fact: Fact, known: str | None) -> None:
    if known not in (None, fact.subject):
        raise place.at("subject").error(
            f"{shorten(fact.subject)} is written {shorten(str(known))} in another row; write it the same way in both"
        )


def _check_twin(place: Place, fact: Fact, twin: str | None) -> None:
    if twin is None:
        return
    number, other = twin.split(" ", 1)
    what = f"{shorten(fact.subject)} {shorten(fact.relation)}"
    objects = SEPARATOR.join(item.name for item in fact.objects)
    if objects == other:
        raise place.error(f"{what} repeats row {number}; delete one of them")
    raise place.at("object").error(
        f"{what} has the object {shorten(objects)} here and {shorten(other)} in row {number}; keep one row "
        f"and list all valid objects in it, separated by {SEPARATOR!r}"
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def _format_row(fact: Fact) -> dict[str, str]:
    if any(SEPARATOR in answer for answer in fact.answers) or any(item.aliases for item in fact.objects[1:]):
        raise TableError(
            f"the fact {shorten(fact.id)} does not fit into CSV (a {SEPARATOR!r} in a name, or aliases of a second "
            "object); save the table as .jsonl"
        )
    names, aliases = [item.name for item in fact.objects], fact.objects[0].aliases
    cells = (fact.subject, fact.relation, SEPARATOR.join(names), SEPARATOR.join(aliases))
    return {**dict(zip((*COLUMNS, ALIASES), cells, strict=True)), **asdict(fact.provenance)}


def _format_json(table: FactTable) -> str:
    return "".join(f"{json.dumps(_build_json(fact), ensure_ascii=False)}\n" for fact in table)


def _build_json(fact: Fact) -> dict[str, Any]:
    objects = [{"name": item.name, "aliases": list(item.aliases)} for item in fact.objects]
    return {"subject": fact.subject, "relation": fact.relation, "objects": objects, **fact.provenance.describe()}
