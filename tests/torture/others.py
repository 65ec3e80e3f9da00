"""Files that other programs wrote, for the fuzzers: workbooks, and records as the field publishes them."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tests.facts.test_converting import MQUAKE, ZSRE, counterfact, edit, row
from tests.facts.test_sheets import write_workbook
from tests.torture.making import change_bytes, change_data

from rote.facts.converting import convert_records, write_packs
from rote.facts.published import load_records
from rote.facts.sheets import build_facts, read_sheet

_SHEET: list[list[object]] = [["Employee", "Manager", "Desk"], ["Ann Bell", "Mia Dorn", 12]]
_RECORDS = (
    counterfact(edit("Danielle Darrieux", "English")),
    [MQUAKE],
    [ZSRE],
    {"results": {"bindings": [row("Ann Bell", "P25", "mother", "Mia Dorn")]}},
)


def make_sheets(bench: Any) -> st.SearchStrategy[bytes]:
    """A workbook in which a part is another one or gone, or its bytes are."""
    path = bench.root / "book.xlsx"
    write_workbook(path, {"Staff": _SHEET})
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    changed = [st.tuples(st.just(name), st.one_of(st.none(), change_bytes(part))) for name, part in parts.items()]
    return st.one_of(
        change_bytes(content), st.one_of(changed).map(lambda change: _zip({**parts, change[0]: change[1]}))
    )


def _zip(parts: dict[str, bytes | None]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, part in parts.items():
            if part is not None:
                file.writestr(name, part)
    return out.getvalue()


def read_workbook(folder: Path, content: bytes) -> None:
    """To a table of facts."""
    (folder / "book.xlsx").write_bytes(content)
    build_facts(folder / "book.xlsx", read_sheet(folder / "book.xlsx"), "Employee", {})


def make_records(_: Any) -> st.SearchStrategy[bytes]:
    """One kind of records with values that are others."""
    return st.sampled_from(_RECORDS).flatmap(change_data).map(lambda data: json.dumps(data).encode())


def read_records(folder: Path, content: bytes) -> None:
    """To a table of facts and packs."""
    path = folder / "records.json"
    path.write_bytes(content)
    kind, found = load_records(path)
    converted = convert_records(path, kind, found, which="new", skip_faulty=True)
    converted.build_table()
    dict(write_packs(converted.wordings))
