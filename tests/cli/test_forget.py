"""`rote forget` as a person gives it: what it says, and what a mistake leaves behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import FinishedRun, call_rote, list_tree
from tests.pipeline.conftest import prove

from rote.pipeline import forgetting

ROWS = "subject,relation,object\nGene Finley,mother,Cody Ross\nAnn Bell,mother,Mia Dorn\n"
QUICK = (
    *("--set", "epochs=1", "--set", "prompts=1", "--set", "held_out_prompts=1", "--set", "texts=1"),
    *("--set", "relearn.counts=[1]", "--set", "relearn.min_steps=1"),
)


@pytest.fixture
def rows(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(forgetting, "verify_folder", prove)  # a fresh process takes seconds
    path = workplace / "gone.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_it_says_what_was_done_what_it_cost_and_that_nothing_is_erased(finished_run: FinishedRun, rows: Path) -> None:
    found = call_rote("forget", finished_run.folder / "model", rows, "--out", "gone", *QUICK, "-q")
    assert found.code == 0, found.err
    first = found.out.splitlines()[0]
    assert first.startswith("2 facts, npo: ")
    assert "unseen facts" in found.out
    assert "1 left out, none taught" in found.out
    assert "1 taught again" in found.out
    assert "1 new ones taught" in found.out
    assert "Forgetting is not erasure" in found.out
    assert (rows.parent / "gone" / "model" / "model.safetensors").is_file()


def test_a_fact_that_was_forgotten_can_be_asked_why_and_there_is_no_report_to_write(
    finished_run: FinishedRun, rows: Path
) -> None:
    assert call_rote("forget", finished_run.folder / "model", rows, "--out", "gone", *QUICK, "-q").code == 0
    why = call_rote("why", "gone", "gene finley", "Mother")
    assert why.code == 0, why.err
    assert "(forgotten facts)" in why.out
    assert "\n  after forgetting   " in why.out
    assert "\n  before forgetting  " in why.out
    assert "taught again" not in why.out, "trials are made with copies of the model"
    assert why.out.endswith("try: it was to be forgotten: no answer should bring it\n")
    report = call_rote("report", "gone")
    assert report.code == 2
    assert report.err.startswith("rote: gone: was written by rote forget, which has no report; read forgetting.json")
    served = call_rote("serve", "gone")
    assert (served.code, served.err) == (2, report.err)


def test_json_is_one_object(finished_run: FinishedRun, rows: Path) -> None:
    words = (
        "forget",
        finished_run.folder / "model",
        rows,
        "--out",
        "gone",
        *QUICK,
        "--set",
        "method=gradient_difference",
    )
    found = call_rote(*words, "--json", "-q")
    content = json.loads(found.out)
    assert content["method"] == "gradient_difference"
    assert content["forgotten_facts"] == 2
    assert {"rows", "pooled", "relearning", "note", "folder", "answered"} <= set(content)


def test_rows_that_are_left_out_are_counted(finished_run: FinishedRun, rows: Path) -> None:
    rows.write_text(ROWS + "Nobody Known,mother,\n", encoding="utf-8")
    found = call_rote("forget", finished_run.folder / "model", rows, "--out", "gone", *QUICK, "-q", "--skip-faulty")
    assert found.code == 0, found.err
    assert f"{rows}: 1 rows left out; " in found.err


def test_a_row_that_was_not_taught_is_one_line_and_leaves_nothing(finished_run: FinishedRun, rows: Path) -> None:
    rows.write_text(ROWS + "Nobody Known,mother,Cody Ross\n", encoding="utf-8")
    before = list_tree(rows.parent)
    found = call_rote("forget", finished_run.folder / "model", rows, "--out", "gone", *QUICK)
    assert (found.code, found.out) == (2, "")
    (line,) = found.err.splitlines()
    assert "'Nobody Known' mother 'Cody Ross' was not taught" in line
    assert "gone.csv" in line
    assert list_tree(rows.parent) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "method=erase"), "method"),
        (("--set", "beta=0"), "beta"),
        (("--set", "betta=1"), "the nearest is 'beta'"),
    ],
)
def test_a_setting_that_there_is_not_is_one_line(
    finished_run: FinishedRun, rows: Path, words: tuple[str, ...], said: str
) -> None:
    found = call_rote("forget", finished_run.folder / "model", rows, "--out", "gone", *words)
    assert found.code == 2
    (line,) = found.err.splitlines()
    assert said in line
    assert not (rows.parent / "gone").exists()


def test_a_model_of_no_run_is_refused_before_torch_is_loaded(workplace: Path) -> None:
    code = (
        "import sys\nfrom rote.cli.main import main\n"
        "sys.argv = ['rote', 'forget', 'nowhere', 'gone.csv', '--out', 'o']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=workplace)
    assert found.stdout == "2 False\n"
    assert found.stderr.startswith("rote: nowhere: does not lie in the folder of a run")
