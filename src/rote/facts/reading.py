"""Reading and writing tables of facts: CSV, TSV and JSON Lines (the formats are described in docs/tables.md).

Every mistake in a file is a `TableError` of one line that names the file, the row, the column and the remedy. A row
is a line of the file, counted from 1 as an editor does, the header included. Files are read line by line with a
limit, so that a file that is no table is refused before it fills the memory.
"""

import csv
import io
import itertools
import json
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rote.errors import TableError
from rote.facts.checking import check_table, find_fault, shorten
from rote.facts.fact import Fact
from rote.facts.rows import ALIASES, COLUMNS, SEPARATOR, Line, Place, Row, read_cell_rows, read_json_rows
from rote.facts.table import FactTable

__all__ = ["MAX_LINE_BYTES", "SUFFIXES", "check_table", "format_table", "load_table", "save_table"]

MAX_LINE_BYTES = 1_000_000

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*_DELIMITERS, ".jsonl")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def load_table(path: Path) -> FactTable:
    """Load a table from a .csv, .tsv or .jsonl file. Raises `TableError` for everything that is wrong with it."""
    _check_file(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise TableError(f"{path}: tables of the kind {suffix!r} cannot be read; use one of {', '.join(SUFFIXES)}")
    lines = ((number, line) for number, line in _read_lines(path) if line.strip())
    rows = read_json_rows(path, lines) if suffix == ".jsonl" else read_cell_rows(path, lines, _DELIMITERS[suffix])
    facts = tuple(_check_rows(path, rows))
    if not facts:
        raise TableError(f"{path}: the table has no facts; add one line for each fact below the header")
    return FactTable(facts)


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
    width = 4 if any(row[3] for row in rows) else 3
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(row[:width] for row in ([*COLUMNS, ALIASES], *rows))
    return text.getvalue()


# --- from the file to lines ------------------------------------------------------------------------------------------


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _explain(path, error) from error
    if stat.S_ISDIR(mode):
        raise TableError(f"{path}: is a folder; name a table in it ({', '.join(SUFFIXES)})")
    if not stat.S_ISREG(mode):
        raise TableError(f"{path}: is not a file; write the table to a file first ({', '.join(SUFFIXES)})")


def _explain(path: Path, error: OSError) -> TableError:
    if isinstance(error, FileNotFoundError):
        return TableError(f"{path}: there is no such file; check the path, or make a table with 'rote facts invent'")
    if isinstance(error, PermissionError):
        return TableError(f"{path}: there is no permission to read it; allow it (chmod u+r) or copy the file")
    return TableError(f"{path}: cannot be read ({error.strerror or error})")


def _read_lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as file:
            for number in itertools.count(1):
                raw = file.readline(MAX_LINE_BYTES + 1)
                if not raw:
                    return
                yield number, _decode(Place(path, number), raw)
    except OSError as error:
        raise _explain(path, error) from error


def _decode(place: Place, raw: bytes) -> str:
    if len(raw) > MAX_LINE_BYTES:
        raise place.error(f"the line is longer than {MAX_LINE_BYTES:,} bytes; write one fact to a line")
    if b"\0" in raw:
        raise place.error("holds a NUL byte, so it is not UTF-8 text; save the file as UTF-8")
    try:
        text = raw.removeprefix(_BYTE_ORDER_MARK if place.row == 1 else b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise place.error(f"broken UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8") from error
    text = text.rstrip("\r\n")
    if "\r" in text:
        raise place.error("holds a carriage return within the line; save the file with line ends of LF or CRLF")
    return text


# --- what holds for every format -------------------------------------------------------------------------------------


def _check_rows(path: Path, rows: Iterable[Row]) -> Iterator[Fact]:
    seen: dict[str, Row] = {}
    for number, fact in rows:
        place = Place(path, number)
        fault = find_fault(fact)
        if fault:
            raise place.at("object").error(fault)
        _check_repeats(place, fact)
        if fact.id in seen:
            raise _explain_twin(place, fact, seen[fact.id])
        seen[fact.id] = (number, fact)
        yield fact


def _check_repeats(place: Place, fact: Fact) -> None:
    for answer in fact.answers:
        if fact.answers.count(answer) > 1:
            raise place.at("object").error(f"names {shorten(answer)} twice; every object and alias once is enough")


def _explain_twin(place: Place, fact: Fact, twin: Row) -> TableError:
    number, other = twin
    what = f"{shorten(fact.subject)} {shorten(fact.relation)}"
    if fact.objects == other.objects:
        return place.error(f"{what} repeats row {number}; delete one of them")
    return place.at("object").error(
        f"{what} has the object {shorten(fact.object)} here and {shorten(other.object)} in row {number}; keep one row "
        f"and list all valid objects in it, separated by {SEPARATOR!r}"
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def _format_row(fact: Fact) -> list[str]:
    if any(SEPARATOR in answer for answer in fact.answers) or any(item.aliases for item in fact.objects[1:]):
        raise TableError(
            f"the fact {shorten(fact.id)} does not fit into CSV (a {SEPARATOR!r} in a name, or aliases of a second "
            "object); save the table as .jsonl"
        )
    names, aliases = [item.name for item in fact.objects], fact.objects[0].aliases
    return [fact.subject, fact.relation, SEPARATOR.join(names), SEPARATOR.join(aliases)]


def _format_json(table: FactTable) -> str:
    return "".join(f"{json.dumps(_build_json(fact), ensure_ascii=False)}\n" for fact in table)


def _build_json(fact: Fact) -> dict[str, Any]:
    objects = [{"name": item.name, "aliases": list(item.aliases)} for item in fact.objects]
    return {"subject": fact.subject, "relation": fact.relation, "objects": objects}
