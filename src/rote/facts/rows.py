"""From the lines of a table to facts, for each format; every mistake is an error that names row and column."""

import csv
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rote.errors import TableError
from rote.facts.checking import shorten
from rote.facts.fact import Fact, FactObject

COLUMNS = ("subject", "relation", "object")
ALIASES = "aliases"
SEPARATOR = "|"
"""Between several objects, or several aliases, in one cell."""
_JSON_KEYS = (*COLUMNS, "objects", ALIASES)

Line = tuple[int, str]
"""A line's number, counted from 1, and its text without the line end."""
Row = tuple[int, Fact]
"""The number of a line and the fact it states."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands; a row is a line of the file, counted from 1."""

    path: Path
    row: int
    column: str | None = None

    def at(self, column: str) -> "Place":
        """The same row, at one column."""
        return replace(self, column=column)

    def error(self, what: str) -> TableError:
        """An error of one line that begins with the place."""
        column = f", column {self.column!r}" if self.column else ""
        return TableError(f"{self.path}: row {self.row}{column}: {what}")


# --- CSV and TSV -----------------------------------------------------------------------------------------------------


def read_cell_rows(path: Path, lines: Iterable[Line], delimiter: str) -> Iterator[Row]:
    """The facts of a CSV or TSV file, from its lines without the blank ones."""
    header: list[str] | None = None
    for number, line in lines:
        place = Place(path, number)
        cells = _split_line(place, line, delimiter)
        if not any(cells):  # a spreadsheet writes ",," for an empty row
            continue
        if header is None:
            header = _check_header(place, cells)
        else:
            yield number, _build_from_cells(place, header, cells)
    if header is None:
        raise TableError(f"{path}: the file is empty; its first line must name the columns {','.join(COLUMNS)}")


def _split_line(place: Place, line: str, delimiter: str) -> list[str]:
    # Each line is parsed alone: otherwise one forgotten quote would swallow all the lines after it.
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise place.error(
            f"cannot be split into cells ({error}); close each quote on its own line, and write a quote within quotes "
            'as ""'
        ) from error
    return [cell.strip() for cell in cells]


def _check_header(place: Place, cells: Sequence[str]) -> list[str]:
    header = [cell.lower() for cell in cells]
    found = ", ".join(shorten(cell) for cell in cells[:20])
    for column in COLUMNS:
        if column not in header:
            raise place.error(
                f"the column {column!r} is missing; the first line must name the columns {', '.join(COLUMNS)} and, "
                f"if there are any, {ALIASES}; found: {found}"
            )
    for column in header:
        if column not in (*COLUMNS, ALIASES) or header.count(column) > 1:
            fault = "occurs twice" if header.count(column) > 1 else "is unknown"
            raise place.error(f"the column {shorten(column)} {fault}; use {', '.join(COLUMNS)}, {ALIASES} once each")
    return header


def _build_from_cells(place: Place, header: list[str], cells: list[str]) -> Fact:
    if len(cells) > len(header):
        raise place.error(
            f"has {len(cells)} cells, but the header names {len(header)} columns; put quotes around a cell that holds "
            "the delimiter"
        )
    row = dict(zip(header, cells, strict=False))
    subject = _check_name(place.at("subject"), row.get("subject", ""))
    relation = _check_relation(place.at("relation"), row.get("relation", ""))
    names = _split_cell(place.at("object"), row.get("object", ""))
    aliases = _split_cell(place.at(ALIASES), row[ALIASES]) if row.get(ALIASES) else ()
    return Fact(subject, relation, (FactObject(names[0], aliases), *map(FactObject, names[1:])))


def _split_cell(place: Place, cell: str) -> tuple[str, ...]:
    return tuple(_check_name(place, part) for part in cell.split(SEPARATOR))


# --- JSON Lines ------------------------------------------------------------------------------------------------------


def read_json_rows(path: Path, lines: Iterable[Line]) -> Iterator[Row]:
    """The facts of a JSON Lines file, from its lines without the blank ones."""
    for number, line in lines:
        place = Place(path, number)
        try:
            data = json.loads(line)
        except json.JSONDecodeError as error:
            reason = f"{error.msg}, character {error.colno}"
            raise place.error(f"is not JSON ({reason}); write one JSON object to a line") from error
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 100,000 brackets
            raise place.error("holds a number or a nesting without measure; write one plain JSON object") from error
        if not isinstance(data, dict):
            raise place.error(f"is {_name_type(data)}; write a JSON object with the keys {', '.join(COLUMNS)}")
        yield number, _build_from_json(place, data)


def _build_from_json(place: Place, data: dict[str, Any]) -> Fact:
    for key in data:
        if key not in _JSON_KEYS:
            raise place.error(f"the key {shorten(key)} is unknown; known keys: {', '.join(_JSON_KEYS)}")
    if ("object" in data) == ("objects" in data) or (ALIASES in data and "objects" in data):
        raise place.at("object").error(
            "give either 'object' (a string; its 'aliases' beside it) or 'objects' (a list of strings or of "
            '{"name": ..., "aliases": [...]})'
        )
    subject = _check_name(place.at("subject"), data.get("subject", ""))
    relation = _check_relation(place.at("relation"), data.get("relation", ""))
    if "object" in data:
        return Fact(subject, relation, (_read_object(place, data["object"], data.get(ALIASES, [])),))
    entries = _check_list(place.at("objects"), data["objects"])
    if not entries:
        raise place.at("objects").error("is empty; name at least one object")
    return Fact(subject, relation, tuple(_read_entry(place.at("objects"), entry) for entry in entries))


def _read_entry(place: Place, entry: object) -> FactObject:
    if not isinstance(entry, dict):
        return _read_object(place, entry, [])
    if "name" not in entry or not entry.keys() <= {"name", ALIASES}:
        raise place.error(f'write each object as a string or as {{"name": ..., "{ALIASES}": [...]}}')
    return _read_object(place, entry["name"], entry.get(ALIASES, []))


def _read_object(place: Place, name: object, aliases: object) -> FactObject:
    place = place if place.column else place.at("object")
    checked = tuple(_check_name(place.at(ALIASES), alias) for alias in _check_list(place.at(ALIASES), aliases))
    return FactObject(_check_name(place, name), checked)


def _check_list(place: Place, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise place.error(f"is {_name_type(value)}; write a list of strings")
    return value


def _name_type(value: object) -> str:
    names = {dict: "a JSON object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _check_name(place: Place, value: object) -> str:
    if not isinstance(value, str):
        raise place.error(f"is {_name_type(value)}; write a string")
    text = value.strip()
    kinds = {unicodedata.category(character) for character in text}
    if kinds & {"Cc", "Cs", "Zl", "Zp"}:
        raise place.error(f"{shorten(text)} holds a line break or another control character; remove it")
    if all(kind[0] in "CZ" for kind in kinds):
        raise place.error("is missing or empty; write a value or delete the row")
    return text


def _check_relation(place: Place, value: object) -> str:
    name = _check_name(place, value)
    if "/" in name:
        raise place.error(f"{shorten(name)} holds a '/', which separates relation and subject in reports; leave it out")
    return name
