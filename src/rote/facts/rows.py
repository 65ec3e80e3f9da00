"""From the rows of a table to facts, for each format; every mistake is an error that names row and column."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rote.errors import TableError, nearest, shorten
from rote.facts.columns import ALIASES, COLUMNS, OBJECTS, ColumnNames, check_columns
from rote.facts.fact import Fact, FactObject, build_provenance, find_name_fault, find_relation_fault
from rote.facts.files import Finding, Line, Place, find_width_fault

SEPARATOR = "|"
"""Between several objects, or several aliases, in one cell."""

_MARKS = {";": "semicolons", "\t": "tabs", ",": "commas"}
"""What may stand between the cells of a spreadsheet that was saved in another country, or under the wrong name."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ZIP = b"PK\x03\x04"

Row = tuple[int, Fact]
"""The number of a line and the fact it states."""
Entry = Row | Finding
"""What a row of a file comes to."""


def _decode(place: Place, line: bytes) -> str:
    if place.row == 1 and line.startswith(_ZIP):
        raise place.error("is a spreadsheet or another zipped file under a wrong name; save it as CSV UTF-8")
    if b"\0" in line:
        raise place.error("holds a NUL byte, so it is not UTF-8 text; save the file as UTF-8")
    try:
        text = line.removeprefix(_BYTE_ORDER_MARK if place.row == 1 else b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise place.error(f"broken UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8") from error
    text = text.rstrip("\r\n")
    if "\r" in text:
        raise place.error("holds a carriage return within the line; save the file with line ends of LF or CRLF")
    return text


# --- CSV and TSV -----------------------------------------------------------------------------------------------------


def read_cell_rows(path: Path, lines: Iterable[Line], delimiter: str, names: ColumnNames) -> Iterator[Entry]:
    """The facts of a CSV or TSV file, from its lines without the blank ones. Raises `TableError` for its header.

    Where more columns of the header are ours by another mark than by the `delimiter`, that stands between the cells.
    """
    header: list[str | None] | None = None
    for number, line in lines:
        place = Place(path, number)
        try:
            text = _decode(place, line)
            delimiter = _find_delimiter(text, delimiter, names) if header is None else delimiter
            cells = _split_line(place, text, delimiter)
            if not any(cells):  # a spreadsheet writes ",," for an empty row
                continue
            if header is not None:
                yield number, _build_from_cells(place, header, cells)
                continue
        except TableError as error:
            if header is None:
                raise
            yield Finding(str(error))
            continue
        header = [names.translate(cell) for cell in cells]
        yield from _check_header(place, header, cells, names)
    if header is None:
        raise TableError(f"{path}: the file is empty; its first line must name the columns {','.join(COLUMNS)}")


def _find_delimiter(text: str, usual: str, names: ColumnNames) -> str:
    """The mark by which most columns of a header are ours; a spreadsheet of another country writes semicolons."""

    def count_ours(mark: str) -> int:
        return sum(names.translate(cell.strip().strip('"')) is not None for cell in text.split(mark))

    return max((usual, *_MARKS), key=count_ours)  # of equals the first


def _split_line(place: Place, line: str, delimiter: str) -> list[str]:
    # Each line is parsed alone: otherwise one forgotten quote would swallow all the lines after it.
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        if "field limit" in str(error):
            raise place.error(
                f"holds a cell of more than {csv.field_size_limit():,} bytes; write names, no texts"
            ) from error
        raise place.error(
            f"cannot be split into cells ({error}); close each quote on its own line, and write a quote within quotes "
            'as ""'
        ) from error
    return [cell.strip() for cell in cells]


def _check_header(
    place: Place, header: Sequence[str | None], cells: Sequence[str], names: ColumnNames
) -> Iterator[Finding]:
    too_wide = find_width_fault(len(cells))
    if too_wide:
        raise place.error(too_wide)
    found = ", ".join(shorten(cell) for cell in cells[:20])
    other = next((name for mark, name in _MARKS.items() if len(cells) == 1 and mark in cells[0]), None)
    if other:
        raise place.error(
            f"reads as one cell, {found}, with {other} in it; save the table with commas (.csv) or tabs (.tsv) between "
            "the cells, and no quotes around whole lines"
        )
    for cell, column in zip(cells, header, strict=True):
        if column and header.count(column) > 1:
            raise place.error(f"the column {shorten(column)} occurs twice; name each column once")
        if cell and not column:
            yield from names.ignore(place, cell, header)
    missing = [name for name in COLUMNS if name not in header and not (name == "object" and OBJECTS in header)]
    wrong = next((name for name in missing if name in names.mapped), None)
    if wrong:
        theirs = names.mapped[wrong]
        guess = nearest(theirs, cells)
        raise place.error(f"the column of --column {wrong}={theirs} is missing; did you mean {guess!r}? Found: {found}")
    if missing:
        flags = " ".join(f"--column {name}=NAME" for name in missing)
        raise place.error(
            f"missing: {', '.join(map(repr, missing))}; the first line must name the columns {', '.join(COLUMNS)} and, "
            f"if there are any, {ALIASES}, or say which they are: {flags}; of a sheet with a column for each property "
            f"make a table with `rote facts from`; found: {found}"
        )


def _build_from_cells(place: Place, header: list[str | None], cells: list[str]) -> Fact:
    if len(cells) > len(header):
        raise place.error(
            f"has {len(cells)} cells, but the header names {len(header)} columns; put quotes around a cell that holds "
            "the delimiter"
        )
    row = dict(zip(header, cells, strict=False))
    subject = _check_name(place.at("subject"), row.get("subject", ""))
    relation = _check_relation(place.at("relation"), row.get("relation", ""))
    column = "object" if "object" in header else OBJECTS
    names = _split_cell(place.at(column), row.get(column, ""))
    aliases = _split_cell(place.at(ALIASES), row[ALIASES]) if row.get(ALIASES) else ()
    objects = (_build_object(names[0], aliases), *map(FactObject, names[1:]))
    return Fact(subject, relation, objects, build_provenance(row))


def _split_cell(place: Place, cell: str) -> tuple[str, ...]:
    return tuple(_check_name(place, part) for part in cell.split(SEPARATOR))


# --- JSON Lines ------------------------------------------------------------------------------------------------------


def read_json_rows(path: Path, lines: Iterable[Line], names: ColumnNames) -> Iterator[Entry]:
    """The facts of a JSON Lines file, from its lines without the blank ones."""
    for number, line in lines:
        place = Place(path, number)
        try:
            data = _parse_json(place, _decode(place, line))
        except TableError as error:
            yield Finding(str(error))
            continue
        yield from read_record(place, data, names)


def read_record(place: Place, data: Mapping[str, Any], names: ColumnNames) -> Iterator[Entry]:
    """The fact of one record whose values are plain Python objects (a JSON object, a row of Parquet)."""
    try:
        too_wide = find_width_fault(len(data))
        if too_wide:
            raise place.error(too_wide)
        record: dict[str, Any] = {}
        translated = {key: names.translate(key) for key in data}
        check_columns(place, translated)
        for key, value in data.items():
            ours = translated[key]
            if ours is None:
                yield from names.ignore(place, key, translated.values())
            elif value is not None or ours in ("subject", "relation"):  # a column of Parquet may be empty here
                record[ours] = value
        yield place.row, _build_from_record(place, record)
    except TableError as error:
        yield Finding(str(error))


class _RepeatedKey(ValueError):
    """A key stands twice in a JSON object."""


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKey(next(key for key in content if keys.count(key) > 1))
    return content


def _parse_json(place: Place, line: str) -> dict[str, Any]:
    try:
        data = json.loads(line, object_pairs_hook=_refuse_repeats)
    except _RepeatedKey as error:
        raise place.error(f"the key {shorten(str(error))} stands twice; keep one of them") from error
    except json.JSONDecodeError as error:
        reason = f"{error.msg}, character {error.colno}"
        raise place.error(f"is not JSON ({reason}); write one JSON object to a line") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 100,000 brackets
        raise place.error("holds a number or a nesting without measure; write one plain JSON object") from error
    if not isinstance(data, dict):
        raise place.error(f"is {_name_type(data)}; write a JSON object with the keys {', '.join(COLUMNS)}")
    return data


def _build_from_record(place: Place, data: dict[str, Any]) -> Fact:
    if ("object" in data) == (OBJECTS in data):
        raise place.at("object").error(
            "give either 'object' (a string) or 'objects' (a list of strings or of "
            '{"name": ..., "aliases": [...]}); \'aliases\' beside it are those of the first'
        )
    subject = _check_name(place.at("subject"), data.get("subject", ""))
    relation = _check_relation(place.at("relation"), data.get("relation", ""))
    provenance = build_provenance(data)
    if "object" in data:
        return Fact(subject, relation, (_read_object(place, data["object"], data.get(ALIASES, [])),), provenance)
    entries = _check_list(place.at(OBJECTS), data[OBJECTS])
    if not entries:
        raise place.at(OBJECTS).error("is empty; name at least one object")
    first, *others = (_read_entry(place.at(OBJECTS), entry) for entry in entries)
    aliases = _check_list(place.at(ALIASES), data.get(ALIASES, []))
    more = tuple(_check_name(place.at(ALIASES), alias) for alias in aliases)
    return Fact(subject, relation, (replace(first, aliases=(*first.aliases, *more)), *others), provenance)


def _read_entry(place: Place, entry: object) -> FactObject:
    if not isinstance(entry, dict):
        return _read_object(place, entry, [])
    if "name" not in entry or not entry.keys() <= {"name", ALIASES}:
        raise place.error(f'write each object as a string or as {{"name": ..., "{ALIASES}": [...]}}')
    return _read_object(place, entry["name"], entry.get(ALIASES, []))


def _read_object(place: Place, name: object, aliases: object) -> FactObject:
    place = place if place.column else place.at("object")
    checked = tuple(_check_name(place.at(ALIASES), alias) for alias in _check_list(place.at(ALIASES), aliases))
    return _build_object(_check_name(place, name), checked)


def _build_object(name: str, aliases: Sequence[str]) -> FactObject:
    """An object; to name it again as its own alias is no mistake."""
    return FactObject(name, tuple(alias for alias in aliases if alias != name))


def _check_list(place: Place, value: object) -> list[Any]:
    if isinstance(value, str):
        return value.split(SEPARATOR)
    if not isinstance(value, list):
        raise place.error(f"is {_name_type(value)}; write a list of strings, or one string with {SEPARATOR!r} between")
    return value


def _name_type(value: object) -> str:
    names = {dict: "a JSON object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _check_name(place: Place, value: object) -> str:
    if not isinstance(value, str):
        raise place.error(f"is {_name_type(value)}; write a string")
    text = value.strip()
    fault = find_name_fault(text)
    if fault:
        raise place.error(fault)
    return text


def _check_relation(place: Place, value: object) -> str:
    name = _check_name(place, value)
    fault = find_relation_fault(name)
    if fault:
        raise place.error(fault)
    return name
