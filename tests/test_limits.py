"""Limits of what is read: each is moved by its name, also for the processes that are started."""

import subprocess
import sys
from pathlib import Path

import pytest

from rote.errors import ConfigError, TableError
from rote.facts.reading import load_table
from rote.limits import LIMITS, VARIABLE, get_limit, move_limits


@pytest.fixture(autouse=True)
def _unmoved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")


def test_a_limit_is_moved_here_and_in_processes_that_are_started() -> None:
    move_limits(["columns=5000"])
    move_limits(["layers=7", "columns=6000"])
    assert (get_limit("columns"), get_limit("layers"), get_limit("text-bytes")) == (6000, 7, LIMITS["text-bytes"])
    command = "from rote.limits import get_limit; print(get_limit('columns'))"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, check=True).stdout == b"6000\n"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("colums=3", "there is no such limit; the nearest is 'columns'"),
        ("columns", "write NAME=NUMBER, as --limit columns=2000"),
        ("columns=-1", "write NAME=NUMBER"),
        ("columns=0", "write NAME=NUMBER"),
        ("line-bytes=99999999999999999999", "write NAME=NUMBER"),
        ("columns=" + "9" * 5_000, "write NAME=NUMBER"),
    ],
)
def test_what_is_no_limit(pair: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        move_limits([pair])
    assert get_limit("columns") == LIMITS["columns"]


def test_a_table_beyond_a_limit_says_which_and_is_read_once_that_is_moved(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    names = ["subject", "relation", "object", *(f"note {number}" for number in range(1_000))]
    path.write_text(",".join(names) + "\nA,mother,B" + ",x" * 1_000 + "\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"1,003 columns.*or allow more: rote --limit columns=NUMBER"):
        load_table(path)
    move_limits(["columns=2000"])
    assert [fact.subject for fact in load_table(path)] == ["A"]
