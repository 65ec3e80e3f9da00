"""`--json` is one object on standard output and nothing else; `--quiet` leaves the result alone."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import SMALL, FinishedRun, Outcome, call_rote
from tests.cli.test_audit import QUICK

from rote.records import load_records

DOCS = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")


def read(outcome: Outcome, code: int = 0) -> dict[str, Any]:
    assert outcome.code == code, outcome.err
    assert outcome.out.count("\n") == 1
    content: dict[str, Any] = json.loads(outcome.out, parse_constant=pytest.fail)
    return content


def list_documented(command: str) -> set[str]:
    """The keys in the rows of a command on the page."""
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in DOCS.splitlines() if line.startswith("|")]
    found: set[str] = set()
    current = ""
    for name, keys in rows:
        current = name or current
        if current == command:
            found |= set(re.findall(r"`(\w+)`", keys))
    assert found
    return found


def test_a_run(finished_run: FinishedRun) -> None:
    outcome = call_rote(*finished_run.words, "--resume", "--json", "--quiet")
    found = read(outcome, code=3)
    assert outcome.err == ""
    assert found.keys() == list_documented("`run`")
    assert found["summary"] == json.loads((finished_run.folder / "summary.json").read_text(encoding="utf-8"))
    assert found["verdict"]["sentence"] == "not memorized"
    assert {*found["folders"]} == {"run", "model", "report"}
    assert (found["comparison"], found["hub"]) == (None, {})


def test_a_dry_run(workplace: Path, model_folder: Path) -> None:
    words: tuple[str | Path, ...] = (
        "run",
        "facts.csv",
        "--model",
        model_folder,
        "--dry-run",
        "--json",
        "-q",
        "--set",
        "generalize.facts=1",
    )
    outcome = call_rote(*words)
    found = read(outcome)
    assert outcome.err == ""
    assert found.keys() == list_documented("`run --dry-run`")
    assert found["plan"][0].startswith("table:      3 facts")
    assert {"memorize", "generalize"} <= found["estimate"]["seconds"].keys()
    assert found["estimate"]["fits"] is True


def test_progress_stays_on_stderr_unless_it_is_to_be_quiet(model_folder: Path, workplace: Path) -> None:
    words: tuple[str | Path, ...] = ("examine", model_folder, "facts.csv", "--json", "--out", "records.parquet", *SMALL)
    loud, quiet = call_rote(*words), call_rote(*words, "-q")
    found = read(loud)
    assert "examine ..." in loud.err
    assert quiet.err == ""
    assert read(quiet) == found
    assert found.keys() == list_documented("`examine`")
    records = load_records(workplace / found["records"])
    asked = [row["n"] for row in found["summary"] if row["measure"] == "generation_accuracy"]
    assert sum(asked) == len(records)


def test_a_question(finished_run: FinishedRun, model_folder: Path) -> None:
    words = ("Who is Ann Bell's mother?", "--base", model_folder, "--top", "2", "--json", "-q")
    outcome = call_rote("ask", finished_run.folder / "model", *words)
    found = read(outcome)
    assert outcome.err == ""
    assert found.keys() == list_documented("`ask`")
    assert [answer["model"] for answer in found["models"]] == [str(finished_run.folder / "model"), str(model_folder)]
    first, second = ({c["text"] for c in answer["candidates"]} for answer in found["models"])
    assert first == second
    (fact,) = found["taught"]
    assert (fact["subject"], fact["relation"], fact["answers"]) == ("Ann Bell", "mother", ["Mia Dorn"])


def test_runs_beside_one_another(finished_run: FinishedRun, tmp_path: Path) -> None:
    other = shutil.copytree(finished_run.folder, tmp_path / "other")
    found = read(call_rote("compare", finished_run.folder, other, "--all", "--json"))
    assert found.keys() == list_documented("`compare` of runs")
    summary = json.loads((finished_run.folder / "summary.json").read_text(encoding="utf-8"))
    accuracy = [row for row in summary if row["measure"] == "generation_accuracy"]
    assert len(found["rows"]) == len(accuracy)
    keys = ("moment", "fact_set", "prompt_set", "language")
    expected = {tuple(row[key] for key in keys): row["mean"] for row in accuracy}
    for row in found["rows"]:
        (figure, same) = row["figures"].values()
        assert figure["mean"] == same["mean"] == expected[tuple(row[key] for key in keys)]


def test_an_audit(workplace: Path, model_folder: Path) -> None:
    names = ("Jo Hart", "Lu Marsh", "Tim Gale", "Ann Bell", "Odo Fenn", "Gene Finley")
    rows = "".join(f"{name},mother,Ida Penn{number}\n" for number, name in enumerate(names))
    (workplace / "six.csv").write_text(f"subject,relation,object\n{rows}")
    outcome = call_rote("audit", model_folder, "six.csv", "--json", "-q", "--out", "audit.json", *QUICK)
    found = read(outcome)
    assert outcome.err == ""
    assert found == json.loads((workplace / "audit.json").read_text(encoding="utf-8"))
    assert list_documented("`audit`") <= found.keys()


def test_a_mistake_prints_nothing_to_parse(workplace: Path) -> None:
    for words in (("run", "none.csv"), ("compare", "none"), ("examine", "rote-tiny", "none.csv")):
        outcome = call_rote(*words, "--json")
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome


def test_logs_of_other_tools_have_their_keys_on_the_page(tmp_path: Path) -> None:
    from tests.exchange.test_reading import build_line, write_lines

    one, two = (write_lines(tmp_path / name, [build_line(n) for n in range(3)]) for name in "ab")
    found = read(call_rote("compare", one, two, "--json"))
    assert found.keys() == list_documented("`compare` of logs")
    for key in found["rows"][0]:
        assert f"`{key}`" in DOCS
