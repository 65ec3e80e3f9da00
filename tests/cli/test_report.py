"""`rote report` as a person calls it."""

import csv
import re
from pathlib import Path

import pytest
from tests.cli.conftest import FinishedRun, call_rote, list_tree


def test_the_csv_has_the_rows_of_the_page(finished_run: FinishedRun, tmp_path: Path) -> None:
    file = tmp_path / "new" / "rows.csv"
    outcome = call_rote("report", finished_run.folder, "--csv", file)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"{finished_run.folder / 'report.html'}\n{file}\n"
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    page = (finished_run.folder / "report.html").read_text(encoding="utf-8")
    flags = re.findall(r'<tr data-flags="(.*?)">', page)
    assert flags == [row["flags"] for row in rows]
    taught = {
        (row["subject"], row["object"]) for row in rows if row["facts"].startswith("taught, ") or "rote" in row["facts"]
    }
    assert taught == {("Gene Finley", "Cody Ross"), ("Ann Bell", "Mia Dorn"), ("Odo Fenn", "Rosa Lind")}
    for row in rows:
        right = [line for line in row["answers"].splitlines() if " (right): " in line]
        asked = [line for line in right if not line.startswith(("Key token", "Control"))]
        assert len(asked) == int(row["right"]) <= int(row["asked"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("RUN", "RUN", "--csv", "rows.csv"), "--csv takes the facts of one run; name one run folder"),
        (("RUN", "--csv", "."), "is a folder; --csv takes a file"),
        (("RUN", "--csv", "facts.csv/rows.csv"), "choose another --csv"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    finished_run: FinishedRun, workplace: Path, words: tuple[str, ...], message: str
) -> None:
    before = list_tree(finished_run.folder), list_tree(workplace)
    outcome = call_rote("report", *(str(finished_run.folder) if word == "RUN" else word for word in words))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert (list_tree(finished_run.folder), list_tree(workplace)) == before
