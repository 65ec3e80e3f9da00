"""`rote run --against`: other ways to teach the same table, beside the one that was asked for."""

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import FinishedRun, call_rote

from rote.runs.store import Store


@pytest.fixture
def run(finished_run: FinishedRun, tmp_path: Path) -> FinishedRun:
    """A copy of a finished run and of its store, so that only what is asked for beside it is done."""
    place = tmp_path / "place"
    shutil.copytree(finished_run.folder.parent, place)
    words = tuple(place / "mine" if word == finished_run.folder else word for word in finished_run.words)
    return FinishedRun(place / "mine", (*words, "--resume"), finished_run.outcome)


def test_it_ends_in_one_table_one_file_and_one_report(run: FinishedRun) -> None:
    before = (run.folder / "report.html").read_text(encoding="utf-8")
    outcome = call_rote(*run.words, "--against", "fine_tuning,in_context")
    assert outcome.code == 3, outcome.err
    assert outcome.out.count("generation accuracy at the end") == 1
    comparison = json.loads((run.folder / "comparison.json").read_text(encoding="utf-8"))
    ours, fine_tuning, in_context = comparison["methods"]
    assert [ours["name"], fine_tuning["name"]] == ["memorize_then_generalize", "fine_tuning"]
    assert (in_context["name"], in_context["training_tokens"]) == ("in_context", 0)
    by_method = {row["method"]: row for row in comparison["rows"] if row["questions"].startswith("held-out")}
    assert set(by_method) == {"memorize_then_generalize", "fine_tuning", "in_context"}
    assert by_method["memorize_then_generalize"]["difference"] is None
    for method in ("fine_tuning", "in_context"):
        found = by_method[method]["difference"]
        assert found["low"] <= found["mean"] <= found["high"]
        assert found["mean"] == pytest.approx(by_method["memorize_then_generalize"]["mean"] - by_method[method]["mean"])
    shown = outcome.out[outcome.out.index("generation accuracy at the end") :].splitlines()
    place = shown.index("held-out prompts, held-out facts (en)")
    for line, (method, row) in zip(shown[place + 1 : place + 4], by_method.items(), strict=True):
        assert line.split()[:3] == [method, f"{row['mean']:.2f}", f"[{row['low']:.2f},"]
    assert shown[-1].split() == ["in_context", "0"], "the tokens come last"
    after = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "fine_tuning" in after
    assert "fine_tuning" not in before
    check_equal_tokens(Store(run.folder.parent / "store"), ours["training_tokens"], fine_tuning["training_tokens"])


def check_equal_tokens(store: Store, ours: int, theirs: int) -> None:
    """The tokens of another method are as near to ours as whole epochs allow."""
    outcomes = [json.loads(path.read_text()) for path in (store.path / "jobs").glob("*.json")]
    (found,) = [outcome for outcome in outcomes if outcome["config"]["method"] == "fine_tuning"]
    assert found["config"]["training_tokens"] == ours
    (stage,) = found["stages"]
    history = json.loads(store.stage(stage["kept"]).history.read_text())
    epoch = theirs / history[-1]["epoch"]
    assert abs(theirs - ours) <= epoch
