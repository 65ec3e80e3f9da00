"""From a sheet as people keep it, one line for each thing and one column for each property, to a table of facts."""

import csv
import datetime
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rote.errors import TableError, first_line, shorten
from rote.facts.columns import COLUMNS
from rote.facts.fact import Fact, FactTable, build_fact, build_provenance, find_name_fault, find_relation_fault
from rote.facts.files import Place, check_file, find_width_fault
from rote.facts.reading import merge_facts
from rote.limits import describe_move, get_limit
from rote.text_files import read_text

SHEETS = (".xlsx", ".xls", ".xlsb", ".ods")
_TEXTS = (".csv", ".tsv")
_MARKS = ",;\t"
_LISTED = 8
"""So many columns are named where one that was asked for is not there."""

Cells = list[str]


def read_sheet(path: Path, sheet: str | None = None) -> list[Cells]:
    """The lines of a sheet, the header first, as texts: numbers and dates as a person writes them, dates by ISO 8601.

    `sheet` names one of several; without it there has to be one. Raises `TableError` for what cannot be read.
    """
    check_file(path)
    suffix = path.suffix.lower()
    if suffix in _TEXTS:
        return list(_read_text_sheet(path))
    if suffix in SHEETS:
        return _read_workbook(path, sheet)
    raise TableError(
        f"{path}: sheets of the kind {suffix!r} cannot be read; use one of {', '.join((*_TEXTS, *SHEETS))}"
    )


def build_facts(path: Path, rows: Sequence[Cells], subject: str, columns: Mapping[str, str]) -> FactTable:
    """The facts of a sheet: of each line that has a subject, one for each column that is a relation.

    `columns` holds the relations by the name of their column; where it is empty every other column is one, under its
    own name. A cell that is empty states nothing, and lines about one subject with other values are one fact with
    several answers. Raises `TableError` for a column that is not there, or a name that is none.
    """
    header = _check_header(path, rows)
    places = {name: _find(path, header, name) for name in (subject, *columns)}
    chosen = columns or {name: name_relation(name) for name in header if name and name != subject}
    if not chosen:
        raise TableError(f"{path}: has no column beside {subject!r}; each further column is a relation")
    for name, relation in chosen.items():
        if fault := find_relation_fault(relation) or find_name_fault(relation):
            raise Place(path, 1, name).error(f"{fault} (--columns {name}=RELATION gives it another name)")
    facts: dict[str, Fact] = {}
    for number, cells in enumerate(rows[1:], start=2):
        of = _read_cell(cells, places[subject])
        for name, relation in chosen.items():
            value = _read_cell(cells, header.index(name))
            if not of or not value:
                continue
            fact = _build(Place(path, number, name), of, relation, value)
            facts[fact.id] = merge_facts(facts[fact.id], fact) if fact.id in facts else fact
    if not facts:
        raise TableError(f"{path}: states no facts; no line has both a {subject} and another value")
    return FactTable(tuple(facts.values()))


def name_relation(column: str) -> str:
    """The name of a relation from that of a column: `Start date` becomes `start_date`."""
    return re.sub(r"\W+", "_", column.strip().lower()).strip("_")


def _build(place: Place, subject: str, relation: str, value: str) -> Fact:
    for text in (subject, value):
        if fault := find_name_fault(text):
            raise place.error(fault)
    if subject == value:
        raise place.error(f"{shorten(value)} is said of itself; leave the cell empty")
    return replace(
        build_fact(subject, relation, value),
        provenance=build_provenance({"source": f"{place.path.name}, row {place.row}"}),
    )


def _check_header(path: Path, rows: Sequence[Cells]) -> Cells:
    if not rows:
        raise TableError(f"{path}: is empty; the first line names the columns")
    header = [cell.strip() for cell in rows[0]]
    too_wide = find_width_fault(len(header))
    if too_wide:
        raise Place(path, 1).error(too_wide)
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice:
        raise Place(path, 1, twice).error("two columns have this name; rename one of them")
    if set(COLUMNS) <= {name.lower() for name in header}:
        raise TableError(f"{path}: is a table of facts already (subject, relation, object); use it as it is, as CSV")
    return header


def _find(path: Path, header: Cells, name: str) -> int:
    if name in header:
        return header.index(name)
    there = list(filter(None, header))
    more = f" and {len(there) - _LISTED} more" if len(there) > _LISTED else ""
    raise TableError(
        f"{path}: there is no column {shorten(name)}; there are {', '.join(map(shorten, there[:_LISTED]))}{more}"
    )


def _read_cell(cells: Cells, index: int) -> str:
    return " ".join(cells[index].split()) if index < len(cells) else ""


def _read_text_sheet(path: Path) -> Iterator[Cells]:
    try:
        text = read_text(path, limit="sheet-bytes").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is no UTF-8 text (byte {error.start + 1}); save the sheet as CSV UTF-8") from error
    except (ValueError, OSError) as error:
        raise TableError(f"{path}: cannot be read ({first_line(error)})") from error
    first = text.partition("\n")[0]
    mark = max(_MARKS, key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    except csv.Error as error:
        raise TableError(f"{path}: cannot be read as CSV ({error}); save the sheet again") from error


def _read_workbook(path: Path, sheet: str | None) -> list[Cells]:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        raise TableError(f"{path}: reading spreadsheets needs another package; pip install -e '.[sheets]'") from None
    try:
        book = CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
    except Exception as error:  # it has an error for each format, without one kind for all
        raise TableError(f"{path}: cannot be read as a spreadsheet ({first_line(error)}); save it again") from error
    if not names:
        raise TableError(f"{path}: holds no sheet; save it again")
    if sheet is None and len(names) > 1:
        raise TableError(f"{path}: has the sheets {', '.join(names)}; say which with --sheet")
    if sheet is not None and sheet not in names:
        raise TableError(f"{path}: has no sheet {shorten(sheet)}; there are {', '.join(names)}")
    try:
        found = book.get_sheet_by_name(sheet or names[0])
    except Exception as error:  # named in the book and not in the file, or damaged
        raise TableError(
            f"{path}: its sheet {shorten(sheet or names[0])} cannot be read ({first_line(error)}); save it again"
        ) from error
    limit = get_limit("sheet-cells")
    if found.total_height * found.total_width > limit:
        raise TableError(
            f"{path}: has more than {limit:,} cells; keep the lines and columns that state the facts, "
            f"{describe_move('sheet-cells')}"
        )
    return [[_write(value) for value in row] for row in found.to_python(skip_empty_area=False)]


def _write(value: Any) -> str:
    """A cell as a person writes it: whole numbers without a point, dates without midnight."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else str(value)
