"""From a file to its lines or records, one after another, so that a large one needs little memory; and its places."""

import itertools
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rote.errors import TableError, first_line

MAX_LINE_BYTES = 1_000_000
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_ROWS = 4096
"""Rows of a Parquet file or a folder that are held at a time."""

Line = tuple[int, bytes]
"""A line's number, counted from 1, and its bytes with the line end."""


Record = tuple[int, Mapping[str, Any]]
"""The number of a row, counted from 1 over all files of the table, and its values."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a table that a person should know: one line with its place and the remedy."""

    text: str
    is_error: bool = True
    """Whether the row cannot be used; otherwise it is only a warning."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands; a row is a line of the file, counted from 1."""

    path: Path
    row: int
    column: str | None = None

    def at(self, column: str) -> "Place":
        """The same row, at one column."""
        return replace(self, column=column)

    def describe(self, what: str) -> str:
        """One line that begins with the place."""
        column = f", column {self.column!r}" if self.column else ""
        return f"{self.path}: row {self.row}{column}: {what}"

    def error(self, what: str) -> TableError:
        """An error of that line."""
        return TableError(self.describe(what))


def check_file(path: Path) -> None:
    """Raise `TableError` for a path that is neither a file nor a folder, or that cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _explain(path, error) from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise TableError(f"{path}: is not a file; write the table to a file first ({', '.join(SUFFIXES)})")


def _explain(path: Path, error: OSError) -> TableError:
    if isinstance(error, FileNotFoundError):
        return TableError(f"{path}: there is no such file; check the path, or make a table with 'rote facts invent'")
    if isinstance(error, PermissionError):
        return TableError(f"{path}: there is no permission to read it; allow it (chmod u+r) or copy the file")
    return TableError(f"{path}: cannot be read ({error.strerror or error})")


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, blank ones too. Raises `TableError` for one that is too long or cannot be read."""
    try:
        with path.open("rb") as file:
            for number in itertools.count(1):
                raw = file.readline(MAX_LINE_BYTES + 1)
                if not raw:
                    return
                if len(raw) > MAX_LINE_BYTES:
                    raise Place(path, number).error(
                        f"the line is longer than {MAX_LINE_BYTES:,} bytes; write one fact to a line"
                    )
                yield number, raw
    except OSError as error:
        raise _explain(path, error) from error


def read_arrow_rows(path: Path) -> Iterator[Record]:
    """The rows of one Parquet file, or of a folder with `*.parquet` or `*.arrow` files, in the order of their names.

    Raises `TableError` for what is no such thing.
    """
    number = 0
    for file in [path] if path.is_file() else _list_files(path):
        for batch in _read_batches(file):
            for record in batch.to_pylist():
                number += 1
                yield number, record


def _list_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.arrow")) or sorted(folder.glob("*.parquet"))
    if files:
        return files
    splits = sorted(child.name for child in folder.iterdir() if child.is_dir() and any(child.glob("*.arrow")))
    if splits:
        raise TableError(f"{folder}: holds several tables ({', '.join(splits)}); name one, as {folder / splits[0]}")
    raise TableError(f"{folder}: is a folder without *.arrow or *.parquet files; name a table in it")


def _read_batches(file: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if file.suffix.lower() == ".parquet":
            yield from pq.ParquetFile(file).iter_batches(_ROWS)
            return
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                for start in range(0, batch.num_rows, _ROWS):
                    yield batch.slice(start, _ROWS)
    except (pa.ArrowException, OSError) as error:
        reason = first_line(error)
        raise TableError(f"{file}: cannot be read as a table ({reason}); write it again as Parquet or CSV") from error
