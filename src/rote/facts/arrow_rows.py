"""The rows of Parquet files and of folders that `datasets` saved, in batches: a large one needs little memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rote.errors import TableError

_ROWS = 4096
"""Rows that are held at a time."""

Record = tuple[int, Mapping[str, Any]]
"""The number of a row, counted from 1 over all files of the table, and its values."""


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
        reason = str(error).splitlines()[0]
        raise TableError(f"{file}: cannot be read as a table ({reason}); write it again as Parquet or CSV") from error
