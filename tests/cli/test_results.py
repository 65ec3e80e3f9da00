"""`rote results`: what it writes, prints and notes."""

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import call_rote

from rote.runs.folder import write_json

HEAD = ("", "shallow", "deep")
ENTRY: dict[str, Any] = {
    "name": "main",
    "title": "of old",
    "description": "Depth.",
    "command": "rote reproduce main --model theirs --seeds 1",
    "model": "theirs",
    "seeds": 1,
    "code": "older",
    "tables": [{"head": HEAD, "rows": [["held-out prompts", "0.250 [0.046, 0.699] (4)", "1.000 [0.510, 1.000] (4)"]]}],
}


@pytest.fixture
def theirs(workplace: Path) -> Path:
    """The results of another machine."""
    write_json(workplace / "theirs" / "results" / "results.json", [ENTRY | {"claims": []}])
    return workplace / "theirs"


def test_results_of_another_machine_are_taken_over(workplace: Path, theirs: Path) -> None:
    outcome = call_rote("results", "--out", "out", "--add", theirs, "--format", "csv")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "main (theirs, 1 seed, stale): no claims",
        "written: out/RESULTS.md, out/results/results.json, out/results/claims.json, out/results/results.html",
        "tables: 3 in out/results/tables",
    ]
    assert "| held-out prompts | 0.250 [0.046, 0.699] (4) |" in (workplace / "out" / "RESULTS.md").read_text("utf-8")
    with (workplace / "out" / "results" / "tables" / "main-theirs-1.csv").open(encoding="utf-8") as file:
        assert tuple(next(csv.reader(file))) == HEAD


def test_what_gives_way_is_noted(workplace: Path, theirs: Path) -> None:
    call_rote("results", "--out", "out", "--add", theirs)
    write_json(theirs / "results" / "results.json", [ENTRY | {"claims": [], "tables": []}])
    outcome = call_rote("results", "--out", "out", "--add", theirs)
    assert outcome.code == 0
    assert outcome.err.startswith(
        "note: main (theirs, 1 seed: `rote reproduce main --model theirs --seeds 1`) of --add"
    )


def test_a_store_that_is_not_there_is_noted_where_there_is_something_to_show(workplace: Path, theirs: Path) -> None:
    assert call_rote("results", "stroe", "--out", "out").code == 2
    write_json(workplace / "out" / "results" / "results.json", [ENTRY | {"claims": [], "model": "rote-tiny"}])
    outcome = call_rote("results", "stroe", "--out", "out")
    assert outcome.code == 0
    assert outcome.err == "note: stroe is not there: this is what was published before, in the words of today\n"
