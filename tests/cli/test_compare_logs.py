"""`rote compare` of other tools' logs, as a person calls it."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import call_rote
from tests.exchange.conftest import write_run
from tests.exchange.test_reading import build_line, write_lines

from rote.records import load_records


def test_two_folders_of_lm_eval(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "a", [build_line(n, acc=float(n % 2)) for n in range(40)])
    second = write_lines(tmp_path / "b", [build_line(n, acc=float(n % 4 > 0)) for n in range(4, 44)])
    outcome = call_rote("compare", first, second)
    assert (outcome.code, outcome.err) == (0, "")
    row = next(line for line in outcome.out.splitlines() if line.startswith("| sums | acc |"))
    assert [cell.strip() for cell in row.strip("|").split("|")][-4:] == ["36", "36", "4", "4"]
    found = json.loads(call_rote("compare", first, second, "--json", "--cluster", "topic").out)
    (figures,) = found["rows"]
    assert found["names"] == ["a", "b"]
    assert (figures["matched"], figures["clusters"]) == (36, 3)
    assert figures["difference"]["mean"] == pytest.approx(0.25)


def test_what_stands_twice_is_not_compared_with_itself(tmp_path: Path) -> None:
    outcome = call_rote("compare", tmp_path, tmp_path)
    assert (outcome.code, outcome.err) == (2, f"rote: {tmp_path}: stands twice; name another one to compare it with\n")


def test_a_flag_that_says_nothing_there_is_refused(tmp_path: Path) -> None:
    logs = [write_lines(tmp_path / name, [build_line(1, acc=1.0)]) for name in "ab"]
    assert call_rote("compare", *logs, "--all").err == "rote: --all: is for runs; leave it out\n"
    runs = [write_run(tmp_path / name).path for name in ("mine", "yours")]
    outcome = call_rote("compare", *runs, "--cluster", "topic")
    assert (outcome.code, outcome.err) == (2, "rote: --cluster: is for other tools' logs; leave it out\n")


def test_two_moments_of_a_run_exported_either_way_differ_as_the_records_do(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    folder = write_run(tmp_path / "mine")
    records = {moment: load_records(folder.records(moment)) for moment in ("before", "generalize")}
    right = {
        moment: [r.correct for r in found if (r.fact_set, r.prompt_set) == ("held_out", "held_out")]
        for moment, found in records.items()
    }
    of_kind = sum(right["generalize"]) / len(right["generalize"]) - sum(right["before"]) / len(right["before"])
    sums = {moment: sum(r.correct for r in found) for moment, found in records.items()}
    expected = (sums["generalize"] - sums["before"]) / len(records["before"])
    assert call_rote("export", "inspect", folder.path, "--out", tmp_path / "logs").code == 0
    first, _, last = sorted((tmp_path / "logs").iterdir())
    found = json.loads(call_rote("compare", first, last, "--json").out)
    row = next(row for row in found["rows"] if row["metric"] == "held_out_facts_held_out_prompts")
    assert row["difference"]["mean"] == pytest.approx(of_kind, abs=1e-6)
    assert (row["matched"], row["clusters"]) == (16, 8)
    exported = call_rote("export", "lm-eval", folder.path, "--out", tmp_path / "results")
    assert exported.code == 0, exported.err
    words = exported.out.splitlines()[-1].split()
    assert words[:2] == ["rote", "compare"]
    rows = json.loads(call_rote(*words[1:], "--json").out)["rows"]
    generation = [row for row in rows if row["metric"] == "generation_accuracy"]
    total = sum(row["matched"] for row in generation)
    assert sum(row["difference"]["mean"] * row["matched"] for row in generation) / total == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"results_1.json": "{}"}, "has no samples of lm-eval"),
        ({"samples_a_1.jsonl": "{"}, "cannot be read as samples of lm-eval"),
        ({}, "is not a run folder"),
    ],
)
def test_a_bad_folder_is_one_line(tmp_path: Path, content: dict[str, str], message: str) -> None:
    good = write_lines(tmp_path / "good", [build_line(0)])
    bad, worse = tmp_path / "bad", tmp_path / "worse"
    bad.mkdir()
    worse.mkdir()
    for name, text in content.items():
        (bad / name).write_text(text)
    outcome = call_rote("compare", bad, good if content else worse)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err
