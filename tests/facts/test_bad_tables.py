"""Every mistake in a table is one clear line with the file, the row, the column and the remedy."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from rote.errors import TableError
from rote.facts.reading import load_table
from rote.limits import LIMITS

HEAD = "subject,relation,object\n"
ROW = "Gene Finley,mother,Cody Ross\n"

BAD_FILES: dict[str, tuple[str, str | bytes, str]] = {
    "empty file": ("t.csv", "", r"the file is empty; its first line must name the columns subject,relation,object"),
    "only blank lines": ("t.csv", "\n \n,,\n", r"the file is empty"),
    "empty json": ("t.jsonl", "", r"the table has no facts; add one line"),
    "header only": ("t.csv", HEAD, r"the table has no facts; add one line for each fact"),
    "missing column": (
        "t.csv",
        "subject,object\nA,B\n",
        r"row 1: missing: 'relation'; .*'subject', 'object'",
    ),
    "no header": ("t.csv", ROW, r"row 1: missing: 'subject', 'relation', 'object'; .*found: 'Gene Finley', 'mother'"),
    "quotes around whole lines": (
        "t.csv",
        '"subject;relation;object"\n"A;r;B"\n',
        r"row 1: reads as one cell, 'subject;relation;object', with semicolons in it; save",
    ),
    "a spreadsheet under another name": ("t.csv", "PK\x03\x04\x00", r"row 1: is a spreadsheet or another zipped file"),
    "unknown column": (
        "t.csv",
        "subject,relation,object,alias\nA,r,B,C\n",
        r"row 1: the column 'alias' is unknown; did you mean 'aliases'\? Rename it, or say --column aliases=alias",
    ),
    "column twice": ("t.csv", "subject,relation,object,object\nA,r,B,C\n", r"the column 'object' occurs twice"),
    "empty subject": ("t.csv", HEAD + ",mother,Cody Ross\n", r"row 2, column 'subject': is missing or empty; write"),
    "blank relation": ("t.csv", HEAD + ROW + "A, ,B\n", r"row 3, column 'relation': is missing or empty"),
    "relation above": ("t.csv", HEAD + "A,..,B\n", r"row 2, column 'relation': '\.\.' is a place in a file system"),
    "long relation": (
        "t.csv",
        HEAD + f"A,{'r' * 201},B\n",
        r"column 'relation': 'rrr.*' is longer than 200 characters",
    ),
    "missing cell": ("t.csv", HEAD + "A,r\n", r"row 2, column 'object': is missing or empty"),
    "empty object in a list": ("t.csv", HEAD + "A,r,B||C\n", r"row 2, column 'object': is missing or empty"),
    "invisible subject": ("t.csv", HEAD + "\u200b\u2060,r,B\n", r"column 'subject': is missing or empty"),
    "too many cells": ("t.csv", HEAD + "A,r,Washington, D.C.\n", r"row 2: has 4 cells, but the header names 3.*quotes"),
    "broken utf-8": (
        "t.csv",
        HEAD.encode() + b"A,r,Z\xfcrich\n",
        r"row 2: broken UTF-8 at byte 6.*save the file as UTF-8",
    ),
    "utf-16": ("t.csv", (HEAD + ROW).encode("utf-16"), r"row 1: .*save the file as UTF-8"),
    "utf-16 without mark": (
        "t.csv",
        (HEAD + ROW).encode("utf-16-le"),
        r"row 1: holds a NUL byte.*save the file as UTF-8",
    ),
    "nul byte": ("t.csv", HEAD + "A\0,r,B\n", r"row 2: holds a NUL byte"),
    "binary": ("t.csv", bytes(range(256)) * 8, r"row 1: holds a NUL byte"),
    "long line": (
        "t.csv",
        HEAD + "A,r," + "x" * LIMITS["line-bytes"],
        r"row 2: the line is longer than 1,000,000 by",
    ),
    "long cell": (
        "t.csv",
        HEAD + "A,r," + "x" * 200_000,
        r"row 2: holds a cell of more than 131,072 bytes; write names, no texts",
    ),
    "open quote": (
        "t.csv",
        HEAD + '"A,r,B\n' + ROW,
        r"row 2: cannot be split into cells.*close each quote on its own line",
    ),
    "text after quote": ("t.csv", HEAD + '"A"x,r,B\n', r"row 2: cannot be split into cells"),
    "line break in a cell": ("t.csv", HEAD + '"A\nB",r,C\n', r"row 2: cannot be split into cells"),
    "old mac line ends": ("t.csv", (HEAD + ROW).replace("\n", "\r"), r"row 1: holds a carriage return.*LF or CRLF"),
    "control character": ("t.csv", HEAD + "A\x1bB,r,C\n", r"row 2, column 'subject': 'A\\x1bB' holds a line break or"),
    "tab in a cell": ("t.csv", HEAD + "A,r,B\tC\n", r"row 2, column 'object': .*control character; remove it"),
    "line separator": ("t.csv", HEAD + "A,r,B\u2028C\n", r"row 2, column 'object': .*control character"),
    "slash in relation": ("t.csv", HEAD + "A,r/s,B\n", r"row 2, column 'relation': 'r/s' holds a '/'"),
    "another object": (
        "t.csv",
        HEAD + ROW + "\nGene Finley,mother,Ann Lee\n",
        r"row 4, column 'object': 'Gene Finley' 'mother' has the object 'Ann Lee' here and 'Cody Ross' in row 2; keep",
    ),
    "row twice": ("t.csv", HEAD + ROW + ROW, r"row 3: 'Gene Finley' 'mother' repeats row 2; delete one"),
    "subject in other spaces": (
        "t.csv",
        HEAD + ROW + "Gene  Finley,mother,Ann\n",
        r"row 3.*'Ann' here and 'Cody Ross' in row 2",
    ),
    "subject in capitals": (
        "t.csv",
        HEAD + ROW + "GENE FINLEY,mother,Cody Ross\n",
        r"row 3: .* repeats row 2; delete one",
    ),
    "object twice": ("t.csv", HEAD + "A,r,B|B\n", r"row 2, column 'object': names 'B' twice"),
    "object is subject": (
        "t.csv",
        HEAD + "Singapore,capital,singapore\n",
        r"'Singapore' contains its object 'singapore'",
    ),
    "object in subject": (
        "t.csv",
        HEAD + "Kobe University,city,Kobe\n",
        r"row 2, column 'object': the subject 'Kobe Univ",
    ),
    "object in subject, CJK": (
        "t.csv",
        HEAD + "東京大学,city,東京\n",
        r"the subject '東京大学' contains its object '東京'",
    ),
    "alias in subject": (
        "t.csv",
        "subject,relation,object,aliases\nUS Army,land,America,us\n",
        r"contains its object 'us'",
    ),
    "subject in object": (
        "t.csv",
        HEAD + "Mexico,capital,Mexico City\n",
        r"the object 'Mexico City' contains its subject",
    ),
    "punctuation": ("t.csv", HEAD + "A,r,?!\n", r"row 2, column 'object': the object '\?!' is only punctuation"),
    "a spreadsheet": (
        "t.xlsx",
        "x",
        r"is a spreadsheet; make a table of it: rote facts from .*t\.xlsx --subject COLUMN",
    ),
    "unknown suffix": ("t.txt", "x", r"tables of the kind '\.txt' cannot be read; use one of \.csv, \.tsv, \.jsonl"),
    "no suffix": ("table", HEAD + ROW, r"tables of the kind '' cannot be read; use one of"),
    "broken json": ("t.jsonl", '{"subject": "A",\n', r"row 1: is not JSON \(.*character 17\); write one JSON object"),
    "json list": ("t.jsonl", '["A", "r", "B"]\n', r"row 1: is a list; write a JSON object with the keys subject"),
    "json number": (
        "t.jsonl",
        '{"subject": 1, "relation": "r", "object": "B"}',
        r"row 1, column 'subject': is a number",
    ),
    "json null": ("t.jsonl", '{"subject": "A", "relation": null, "object": "B"}', r"column 'relation': is null; write"),
    "json boolean": (
        "t.jsonl",
        '{"subject": "A", "relation": "r", "object": true}',
        r"column 'object': is true or false",
    ),
    "json missing key": ("t.jsonl", '{"relation": "r", "object": "B"}', r"column 'subject': is missing or empty"),
    "json no object": ("t.jsonl", '{"subject": "A", "relation": "r"}', r"column 'object': give either 'object'"),
    "json both": ("t.jsonl", '{"subject": "A", "relation": "r", "object": "B", "objects": ["B"]}', r"give either"),
    "json no objects": (
        "t.jsonl",
        '{"subject": "A", "relation": "r", "objects": []}',
        r"column 'objects': is empty; name",
    ),
    "json objects": (
        "t.jsonl",
        '{"subject": "A", "relation": "r", "objects": 7}',
        r"column 'objects': is a number; write a list",
    ),
    "json entry": ("t.jsonl", '{"subject": "A", "relation": "r", "objects": [{"nam": "B"}]}', r"write each object as"),
    "json aliases": (
        "t.jsonl",
        '{"subject": "A", "relation": "r", "object": "B", "aliases": true}',
        r"column 'aliases': is true or false; write a list of strings",
    ),
    "json unknown key": (
        "t.jsonl",
        '{"subject": "A", "relation": "r", "objekt": "B"}',
        r"the column 'objekt' is unknown; did you mean 'object'\?",
    ),
    "a column that cannot be typed": (
        "t.csv",
        "\x01\x0bsubject,relation,object\nA,r,B\n",
        r"the column '\\x01\\x0bsubject' is unknown; did you mean 'subject'\? Rename it$",
    ),
    "a column to be quoted": (
        "t.csv",
        "the subject,relation,object\nA,r,B\n",
        r"did you mean 'subject'\? Rename it, or say --column subject='the subject'$",
    ),
    "json line break": (
        "t.jsonl",
        '{"subject": "A\\nB", "relation": "r", "object": "C"}',
        r"column 'subject': 'A\\nB' hol",
    ),
    "json surrogate": (
        "t.jsonl",
        '{"subject": "\\ud800", "relation": "r", "object": "C"}',
        r"column 'subject': .*control",
    ),
    "json key twice": (
        "t.jsonl",
        '{"subject": "A", "relation": "r", "object": "B", "object": "C"}',
        r"row 1: the key 'object' stands twice; keep one of them",
    ),
    "json column twice": (
        "t.jsonl",
        '{"subject": "A", "relation": "r", "object": "B", "Object": "C"}',
        r"row 1: 'object' and 'Object' are the same column, 'object'; keep one of them",
    ),
    "json columns": ("t.jsonl", json.dumps(dict.fromkeys(map(str, range(50_000)), 1)), r"row 1: has 50,000 columns"),
    "columns": (
        "t.csv",
        f"subject,relation,object,{','.join(map(str, range(100_000)))}\n{ROW}",
        r"row 1: has 100,003 columns, more than 1,000; keep those that state the facts",
    ),
    "json nesting": ("t.jsonl", "[" * 500_000, r"row 1: .*nesting"),
    "json huge number": ("t.jsonl", "9" * 5_000, r"row 1: .*holds a number"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_file(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with pytest.raises(TableError, match=message) as caught:
        load_table(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert line.isprintable()
    assert len(line) < len(str(path)) + 400


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv: there is no such file; check the path"):
        load_table(tmp_path / "none.csv")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"is a folder without \*\.arrow or \*\.parquet files; name a table"):
        load_table(tmp_path)


def test_something_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(TableError, match="is not a file"):
        load_table(tmp_path / "t.csv")


def test_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(HEAD + ROW)
    with pytest.raises(TableError, match="cannot be read"):
        load_table(tmp_path / "t.csv" / "u.csv")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the refusal is staged.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "t.csv").write_text(HEAD + ROW)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(TableError, match="there is no permission to read it"):
        load_table(tmp_path / "t.csv")


def test_a_line_of_a_gigabyte_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.write(HEAD.encode())
        file.seek(2**30)  # a hole in the file: takes no room on the disk
        file.write(b"\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TableError, match="row 2: the line is longer than"):
        load_table(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_facts_are_read_without_torch() -> None:
    code = (
        "import sys, rote.facts.shipped, rote.facts.wordings, rote.facts.corpus\n"
        "print({'torch', 'transformers'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
