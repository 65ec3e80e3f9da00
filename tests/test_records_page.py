"""The page about the records explains every column, and its queries run."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.comparison.test_runs import build_record

from rote.records import MOMENTS, SCHEMA, save_records
from rote.runs.folder import write_json

PAGE = (Path(__file__).parents[1] / "docs" / "records.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_column_is_explained() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    assert [name for cells in rows for name in re.findall(r"`(\w+)`", cells[1])] == SCHEMA.names
    assert all(len(cells[3].strip()) > 10 for cells in rows)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run and two jobs where the page has them: one held-out fact is wrong, one known fact is forgotten."""
    records = tmp_path / "runs" / "mine" / "records"
    records.mkdir(parents=True)
    for moment in MOMENTS:
        taught = [build_record(name, correct=name == "Ann", moment=moment) for name in ("Ann", "Ben")]
        known = [replace(build_record("Oslo", correct=moment == "before", moment=moment), fact_set="known")]
        save_records([*taught, *known], records / f"{moment}.parquet")
    jobs = tmp_path / "runs" / "store" / "jobs"
    jobs.mkdir(parents=True)
    for name, epochs in (("aa", 3), ("bb", 20)):
        save_records([build_record("Ann", correct=epochs > 3)], jobs / f"{name}.parquet")
        write_json(jobs / f"{name}.json", {"name": name, "config": {"memorize": {"epochs": epochs}}, "seconds": 1})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("number", "shown", "not_shown"),
    [
        (0, ("before", "0.5"), ()),
        (1, ("Ben",), ("Ann", "Oslo")),
        (2, ("Oslo",), ("Ann", "Ben")),
        (3, ("before", "0.5"), ()),
        (4, ("Ben", "Ann"), ("Oslo",)),
        (5, ("3", "20", "0.0", "1.0"), ()),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_query_shows_what_it_says(
    number: int, shown: tuple[str, ...], not_shown: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas" if "pandas" in QUERIES[number] else "duckdb")
    exec(QUERIES[number], {})
    printed = capsys.readouterr().out
    assert all(word in printed for word in shown), printed
    assert not any(word in printed for word in not_shown), printed


def test_there_are_three_queries_for_each() -> None:
    assert [query.split()[1] for query in QUERIES] == ["pandas"] * 3 + ["duckdb"] * 3
