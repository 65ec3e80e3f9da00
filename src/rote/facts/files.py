"""From a file to its lines or records, one after another, so that a large one needs little memory; and its places."""

import itertools
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from rote.errors import TableError, first_line, shorten
from rote.limits import describe_move, get_limit

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_ROWS = 4096
"""Rows of a Parquet file or a folder that are held at a time."""
_VALUE_BYTES = 64
"""Of a value of Python, beside its text."""
_TRY_METADATA = """
import sys
from pyarrow.parquet import read_metadata
found = read_metadata(sys.argv[1])
for group in map(found.row_group, range(found.num_row_groups)):
    for index in range(found.num_columns):
        group.column(index)
"""
_TRY_STREAM = """
import os, sys
import pyarrow as pa
if os.name == "posix":
    import resource
    room = 2 * int(sys.argv[2]) + 400_000_000  # the library takes some, and a batch is made of what is unpacked
    resource.setrlimit(resource.RLIMIT_DATA, (room, room))
with pa.memory_map(sys.argv[1]) as source, pa.ipc.open_stream(source) as stream:
    try:
        while True:
            batch = stream.read_next_batch()
            if pa.total_allocated_bytes() > int(sys.argv[2]):  # of what was unpacked; the rest stays in the file
                sys.exit(9)
            del batch
    except StopIteration:
        pass
    except MemoryError:
        sys.exit(9)
"""
_TOO_LARGE = 9
"""What that one leaves with where a batch does not fit; what else is wrong is found where the file is read."""

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
        limit = get_limit("line-bytes")
        with path.open("rb") as file:
            for number in itertools.count(1):
                raw = file.readline(limit + 1)
                if not raw:
                    return
                if len(raw) > limit:
                    raise Place(path, number).error(
                        f"the line is longer than {limit:,} bytes; write one fact to a line, "
                        f"{describe_move('line-bytes')}"
                    )
                yield number, raw
    except OSError as error:
        raise _explain(path, error) from error


def find_width_fault(count: int) -> str | None:
    """That there are more columns than a table of facts has, with the remedy; None where there are not."""
    limit = get_limit("columns")
    if count <= limit:
        return None
    return f"has {count:,} columns, more than {limit:,}; keep those that state the facts, {describe_move('columns')}"


def read_arrow_rows(path: Path, is_read: Callable[[str], bool]) -> Iterator[Record]:
    """The rows of one Parquet file, or of a folder with `*.parquet` or `*.arrow` files, in the order of their names.

    Of columns that are not read the values are None. Raises `TableError` for what is no such thing, or would fill the
    memory.
    """
    import pyarrow as pa

    number = 0
    for file in [path] if path.is_file() else _list_files(path):
        read = _read_parquet if file.suffix.lower() == ".parquet" else _read_stream
        try:
            for batch, others in read(file, is_read):
                _check_weight(file, batch, number)
                for record in _decode(batch).to_pylist():
                    number += 1
                    yield number, {**others, **record}
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = first_line(error)
            raise TableError(
                f"{file}: cannot be read as a table ({reason}); write it again as Parquet or CSV"
            ) from error


def _list_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.arrow")) or sorted(folder.glob("*.parquet"))
    if files:
        return files
    splits = sorted(child.name for child in folder.iterdir() if child.is_dir() and any(child.glob("*.arrow")))
    if splits:
        raise TableError(f"{folder}: holds several tables ({', '.join(splits)}); name one, as {folder / splits[0]}")
    raise TableError(f"{folder}: is a folder without *.arrow or *.parquet files; name a table in it")


_Batch = tuple[Any, Mapping[str, None]]
"""Rows, `pyarrow.RecordBatch`, and the names of the columns that are left out of them."""


def _read_parquet(file: Path, is_read: Callable[[str], bool]) -> Iterator[_Batch]:
    import pyarrow.parquet as pq

    columns, others = _split_columns(file, pq.read_schema(file).names, is_read)
    _check_metadata(file)
    metadata = pq.read_metadata(file)
    leaves = [metadata.schema.column(index) for index in range(metadata.num_columns)]
    read = [index for index, leaf in enumerate(leaves) if leaf.path.split(".")[0] in columns]
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        _check_group(file, [group.column(index) for index in read])
    # A text that many rows share is held once, until it is known how much they are together.
    texts = [leaves[index].path for index in read if leaves[index].physical_type == "BYTE_ARRAY"]
    for batch in pq.ParquetFile(file, read_dictionary=texts).iter_batches(_ROWS, columns=columns):
        yield batch, others


def _check_group(file: Path, parts: list[Any]) -> None:
    held, values = get_limit("group-bytes"), get_limit("group-values")
    if sum(part.total_uncompressed_size for part in parts) > held:
        fault, name = f"{held:,} bytes", "group-bytes"
    elif any(part.num_values > values for part in parts):
        fault, name = f"{values:,} values", "group-values"
    else:
        return
    raise TableError(
        f"{file}: a row group holds more than {fault}; write it again with smaller row groups, one fact to a row, "
        f"{describe_move(name)}"
    )


def _check_metadata(file: Path) -> None:
    state = file.stat()
    if _try(_TRY_METADATA, file.absolute(), state.st_mtime_ns, state.st_size, 0) < 0:
        raise TableError(
            f"{file}: cannot be read as a table (its metadata is damaged); write it again as Parquet or CSV"
        )


@lru_cache
def _try(script: str, file: Path, changed: int, size: int, limit: int) -> int:  # by when it was changed and its size
    """What another process leaves with that reads the file: for some flipped bits the library ends the process (a
    number below zero), and what is compressed may be any size once it is not. Other faults are found afterwards."""
    command = [sys.executable, "-c", script, str(file), str(limit)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def _read_stream(file: Path, is_read: Callable[[str], bool]) -> Iterator[_Batch]:
    import pyarrow as pa

    state, limit = file.stat(), get_limit("group-bytes")
    code = _try(_TRY_STREAM, file.absolute(), state.st_mtime_ns, state.st_size, limit)
    if code < 0:
        raise TableError(f"{file}: cannot be read as a table (it is damaged); write it again as Parquet or CSV")
    if code == _TOO_LARGE:
        raise TableError(
            f"{file}: a batch holds more than {limit:,} bytes; write it again with fewer rows in each, "
            f"{describe_move('group-bytes')}"
        )
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        columns, others = _split_columns(file, stream.schema.names, is_read)
        for batch in stream:
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.select(columns).slice(start, _ROWS), others


def _split_columns(file: Path, names: list[str], is_read: Callable[[str], bool]) -> tuple[list[str], dict[str, None]]:
    """The columns that are read, and the others."""
    too_wide = find_width_fault(len(names))
    if too_wide:
        raise TableError(f"{file}: {too_wide}")
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise TableError(f"{file}: the column {shorten(twice)} occurs twice; name each column once")
    return [name for name in names if is_read(name)], dict.fromkeys(name for name in names if not is_read(name))


def _check_weight(file: Path, batch: Any, before: int) -> None:
    limit = get_limit("rows-bytes")
    if sum(map(_weigh, batch.columns)) > limit:
        raise TableError(
            f"{file}: rows {before + 1:,} to {before + batch.num_rows:,} hold more than {limit:,} bytes; "
            f"write one fact to a row, with names and no texts, {describe_move('rows-bytes')}"
        )


def _weigh(values: Any) -> int:
    """About how many bytes some values are once each is written out; `values` is a `pyarrow.Array`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    size = _VALUE_BYTES * len(values) + (pc.sum(_measure(values)).as_py() or 0)
    if pa.types.is_struct(values.type):
        return size + sum(map(_weigh, values.flatten()))
    return size + (_weigh(values.flatten()) if pa.types.is_nested(values.type) else 0)


def _measure(values: Any) -> Any:
    """How long each value is that is a text, in bytes; of others 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_dictionary(kind):
        return _measure(values.dictionary).take(values.indices)
    is_text = pa.types.is_string(kind) or pa.types.is_binary(kind)
    if is_text or pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return pc.binary_length(values)
    return pa.repeat(0, len(values))


def _decode(batch: Any) -> Any:
    """The same rows with each text written out, which is read ten times as fast."""
    import pyarrow as pa

    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
