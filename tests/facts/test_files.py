"""Parquet files and folders that `datasets` saved; columns by other names; merging and leaving out."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rote.errors import TableError
from rote.facts.fact import Fact, FactObject, build_fact
from rote.facts.files import Finding
from rote.facts.reading import ReadOptions, load_table, read_rows

ROWS: list[dict[str, Any]] = [
    {"subject": "Gene Finley", "relation": "mother", "objects": ["Cody Ross"], "aliases": None},
    {"subject": "Velmora", "relation": "language", "objects": ["Velmish", "Ostanish"], "aliases": ["Velm"]},
]
FACTS = (
    build_fact("Gene Finley", "mother", "Cody Ross"),
    Fact("Velmora", "language", (FactObject("Velmish", ("Velm",)), FactObject("Ostanish"))),
)


def save_stream(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def test_a_parquet_file(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    assert load_table(tmp_path / "t.parquet").facts == FACTS


def test_a_folder_that_datasets_saved_is_read_in_the_order_of_its_parts(tmp_path: Path) -> None:
    save_stream(tmp_path / "data-00000-of-00002.arrow", ROWS[:1])
    save_stream(tmp_path / "data-00001-of-00002.arrow", ROWS[1:])
    (tmp_path / "state.json").write_text("{}")
    assert load_table(tmp_path).facts == FACTS


def test_a_folder_of_parquet_parts_goes_on_counting_its_rows(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pylist(ROWS[:1]), tmp_path / "b.parquet")
    with pytest.raises(TableError, match=r"row 3: 'Gene Finley' 'mother' repeats row 1"):
        load_table(tmp_path)


def test_a_folder_of_several_tables_is_refused_with_their_names(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        save_stream(tmp_path / split / "data.arrow", ROWS)
    with pytest.raises(TableError, match=r"holds several tables \(test, train\); name one, as .*test"):
        load_table(tmp_path)


@pytest.mark.parametrize("name", ["t.parquet", "part/t.arrow"])
def test_what_is_no_table_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"not a table")
    with pytest.raises(TableError, match=r"cannot be read as a table \(.*write it again as Parquet or CSV"):
        load_table(path if name == "t.parquet" else path.parent)


def save_twice(path: Path, names: list[str]) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array(["A"]) for _ in names], names=names), path)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    save_twice(tmp_path / "t.parquet", ["subject", "relation", "object", "object"])
    with pytest.raises(TableError, match=r"t\.parquet: the column 'object' occurs twice; name each column once"):
        load_table(tmp_path / "t.parquet")
    save_twice(tmp_path / "t.parquet", ["subject", "relation", "object", "Object"])
    with pytest.raises(TableError, match=r"row 1: 'object' and 'Object' are the same column, 'object'; keep one"):
        load_table(tmp_path / "t.parquet")


BOMB = """
import sys, time, resource; from pathlib import Path
from rote.errors import TableError; from rote.facts.reading import load_table
resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))  # beside a small table it takes a third of that
begin = time.process_time()
try:
    load_table(Path(sys.argv[1]))
except TableError as error:
    print(error)
assert time.process_time() - begin < 5
"""
HUGE: dict[str, tuple[pa.Array, str]] = {
    "a text that all rows share": (
        pa.DictionaryArray.from_arrays(pa.array([0] * 4096, pa.int32()), ["x" * 1_000_000]),
        r"rows 1 to 4,096 hold more than 64,000,000 bytes; write one fact to a row",
    ),
    "a text of many": (pa.array(["x" * 300_000_000], pa.large_string()), r"a row group holds more than 200,000,000 by"),
    "aliases without end": (
        pa.ListArray.from_arrays(pa.array([0, 20_000_000], pa.int32()), pa.repeat("x", 20_000_000)),
        r"a row group holds more than 10,000,000 values; write it again with smaller row groups",
    ),
    "aliases that are one text": (
        pa.ListArray.from_arrays(
            pa.array([0, 4096], pa.int32()),
            pa.DictionaryArray.from_arrays(pa.array([0] * 4096, pa.int32()), ["x" * 1_000_000]),
        ),
        r"rows 1 to 1 hold more than 64,000,000 bytes",
    ),
}


@pytest.mark.parametrize("name", ["t.parquet", "t/data.arrow"])
@pytest.mark.parametrize(("values", "message"), HUGE.values(), ids=HUGE.keys())
def test_a_small_file_that_would_fill_the_memory(tmp_path: Path, name: str, values: pa.Array, message: str) -> None:
    count, path = len(values), tmp_path / name
    table = pa.table({"subject": ["A"] * count, "relation": ["r"] * count, "object": ["B"] * count, "aliases": values})
    if name == "t.parquet":
        pq.write_table(table, path, compression="zstd")
        assert path.stat().st_size < 100_000
    else:
        path.parent.mkdir()
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        path, message = path.parent, "hold more than 64,000,000 bytes"
    done = subprocess.run([sys.executable, "-c", BOMB, path], capture_output=True, text=True, check=False)
    assert re.search(message, done.stdout), done
    assert done.stdout.count("\n") == 1


def test_columns_without_measure_are_refused(tmp_path: Path) -> None:
    table = pa.table({"subject": ["A"], **{f"c{number}": [1] for number in range(2_000)}})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"t\.parquet: has 2,001 columns, more than 1,000; keep those that state"):
        load_table(tmp_path / "t.parquet")


def test_a_column_that_is_not_read_may_be_as_large_as_it_likes(tmp_path: Path) -> None:
    article = pa.DictionaryArray.from_arrays(pa.array([0] * 2, pa.int32()), ["x" * 50_000_000])
    table = pa.Table.from_pylist(ROWS).append_column("article", article)
    pq.write_table(table, tmp_path / "t.parquet")
    entries = list(read_rows(tmp_path / "t.parquet"))
    (told,) = [entry.text for entry in entries if isinstance(entry, Finding)]
    assert "row 1: the column 'article' is not read" in told
    assert load_table(tmp_path / "t.parquet").facts == FACTS


def test_a_number_is_no_name(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{**ROWS[0], "subject": 7}]), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"row 1, column 'subject': is a number; write a string"):
        load_table(tmp_path / "t.parquet")


# --- columns by other names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "Name,mother of,object,id\nGene Finley,mother,Cody Ross,7\n"),
        ("t.csv", "subject,Name,mother of,object\nx,Gene Finley,mother,Cody Ross\n"),
        ("t.jsonl", '{"Name": "Gene Finley", "mother of": "mother", "object": "Cody Ross", "pid": "P25"}'),
    ],
)
def test_columns_may_have_other_names_and_there_may_be_more_of_them(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    options = ReadOptions(columns={"subject": "Name", "relation": "mother of"})
    assert load_table(tmp_path / name, options).facts == FACTS[:1]


def test_a_column_that_is_not_there_is_said_by_its_flag(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Name,relation,object\nA,mother,B\n")
    with pytest.raises(TableError, match=r"subject=Nom is missing; did you mean 'Name'\? Found: 'Name'"):
        load_table(tmp_path / "t.csv", ReadOptions(columns={"subject": "Nom"}))


# --- untidy tables ---------------------------------------------------------------------------------------------------


def test_repeats_are_merged_where_that_is_wanted(tmp_path: Path) -> None:
    rows = "subject,relation,object,aliases\nA,mother,Bo,Beau\nA,mother,Cy,Bo\nD,mother,Ed,\nA,mother,Bo,\n"
    (tmp_path / "t.csv").write_text(rows)
    merged = Fact("A", "mother", (FactObject("Bo", ("Beau",)), FactObject("Cy")))
    assert load_table(tmp_path / "t.csv", ReadOptions(merge_repeats=True)).facts == (
        merged,
        build_fact("D", "mother", "Ed"),
    )


def test_what_is_wrong_is_left_out_where_that_is_wanted(tmp_path: Path) -> None:
    rows = (b"A,mother,Bo", b"A,mother,Cy", b"D,mother", b"Z\xfc,mother,Ed", b"Kim Lee,mother,Kim", b"F,mother,Gil")
    (tmp_path / "t.csv").write_bytes(b"\n".join([b"subject,relation,object", *rows]))
    kept = load_table(tmp_path / "t.csv", ReadOptions(skip_faulty=True)).facts
    assert kept == (build_fact("A", "mother", "Bo"), build_fact("F", "mother", "Gil"))
    (tmp_path / "none.csv").write_text("subject,relation,object\nA,mother\n")
    with pytest.raises(TableError, match="the table has no facts"):
        load_table(tmp_path / "none.csv", ReadOptions(skip_faulty=True))


@pytest.mark.parametrize(("name", "mark"), [("t.csv", ";"), ("t.csv", "\t"), ("t.tsv", ","), ("t.csv", ",")])
def test_what_stands_between_the_cells_is_found_in_the_header(tmp_path: Path, name: str, mark: str) -> None:
    """A spreadsheet of another country writes semicolons; a comma in a name is then a comma."""
    path = tmp_path / name
    other = "," if mark != "," else ";"
    path.write_text(
        mark.join(("subject", "relation", "object", f'"note{other} long"'))
        + f"\nAnn{mark}mother{mark}Bo{other} the elder\n"
    )
    (fact,) = load_table(path)
    assert (fact.subject, fact.object) == ("Ann", f"Bo{other} the elder")


def test_metadata_that_would_end_the_process_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pyarrow does with a wrong size of a histogram; which bit that is differs from version to version."""
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    monkeypatch.setattr("rote.facts.files._TRY_METADATA", "import os; os.abort()")
    with pytest.raises(
        TableError, match=r"t\.parquet: cannot be read as a table \(its metadata is damaged\); write it"
    ):
        load_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("text", [b"Gene", b"mother"])
def test_a_text_in_parquet_that_is_no_utf_8_is_one_clear_line(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = [{"subject": "Gene Finley", "relation": "mother", "object": "Cody Ross"}]
    pq.write_table(pa.Table.from_pylist(rows), path, compression="none", write_statistics=False)
    path.write_bytes(path.read_bytes().replace(text, b"\xff" + text[1:]))
    with pytest.raises(TableError, match=r"t\.parquet: cannot be read as a table \(.*utf-8.*\); write it again"):
        load_table(path)


def test_a_compressed_stream_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pa.table({"subject": ["x" * 60_000_000] * 10, "relation": ["r"] * 10, "object": ["b"] * 10})
    path = tmp_path / "t" / "data.arrow"
    path.parent.mkdir()
    with pa.ipc.new_stream(path, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(rows)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(TableError, match=r"data\.arrow: a batch holds more than 200,000,000 .*--limit group-by"):
        load_table(path.parent)


def test_a_compressed_batch_within_the_limit_is_no_bomb(tmp_path: Path) -> None:
    rows = pa.table({"subject": ["x" * 19_000_000] * 10, "relation": ["r"] * 10, "object": ["b"] * 10})
    path = tmp_path / "t" / "data.arrow"
    path.parent.mkdir()
    with pa.ipc.new_stream(path, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(rows)
    with pytest.raises(TableError, match="hold more than 64,000,000 bytes"):
        load_table(path.parent)


def test_a_compressed_stream_of_facts_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t" / "data.arrow"
    path.parent.mkdir()
    rows = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(path, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(rows)
    assert len(load_table(path.parent)) == len(ROWS)
