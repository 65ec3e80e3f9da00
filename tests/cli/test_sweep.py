"""`rote sweep` and `rote compare`, called as a person would."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.conftest import FinishedRun, call_rote, list_tree

SWEEP: dict[str, Any] = {
    "base": {
        "table": {"kind": "invented", "relations": ["mother"], "count": 2},
        "generalize": {"facts": 1, "epochs": 1},
        "examine": {"facts": 2, "languages": ["en"], "known_facts": 1, "choices": 1},
    },
    "grid": {"memorize.epochs": [1, 2]},
}


@pytest.fixture
def sweep_file(workplace: Path, model_folder: Path) -> Path:
    base = {**SWEEP["base"], "model": str(model_folder)}
    (workplace / "sweep.yaml").write_text(yaml.safe_dump({**SWEEP, "base": base}), encoding="utf-8")
    return Path("sweep.yaml")


def test_a_dry_run_lists_the_jobs_and_writes_nothing(sweep_file: Path, workplace: Path) -> None:
    before = list_tree(workplace)
    outcome = call_rote("sweep", sweep_file, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.split() for line in outcome.out.splitlines()]
    assert [words[1:] for words in lines] == [
        ["memorize.epochs=1", "seed=0", "to", "do"],
        ["memorize.epochs=2", "seed=0", "to", "do"],
        ["jobs:", "2", "to", "do"],
    ]
    assert list_tree(workplace) == before


def test_one_job_then_all_and_a_table_of_them(sweep_file: Path) -> None:
    name = call_rote("sweep", sweep_file, "--dry-run").out.split()[0]
    outcome = call_rote("sweep", sweep_file, "--store", "new", "--threads", "1", "--only", name)
    assert outcome.code == 0, outcome.err
    row, warning = outcome.out.splitlines()[2:]
    assert row.startswith(f"| {name} | 1 | 0 | ")
    assert warning.startswith(f"warning: {name}: memorize reached a recall of 0.00")
    assert call_rote("sweep", sweep_file, "--store", "new", "--dry-run").out.count("finished") == 1
    outcome = call_rote("sweep", sweep_file, "--store", "new", "--threads", "1")
    head, _, *rows = outcome.out.splitlines()
    assert head.startswith("| job | memorize.epochs | seed | training prompts | held-out prompts | key token")
    assert head.endswith(" | training tokens |")
    assert [row.split(" | ")[1:3] for row in rows[:2]] == [["1", "0"], ["2", "0"]]
    outcome = call_rote("compare", f"new/jobs/{name}.json", f"new/jobs/{name}.parquet")
    assert outcome.code == 0
    assert "+0.000 [-0.793, +0.793]" in outcome.out


def test_a_script_calls_the_jobs_one_by_one(sweep_file: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    *lines, total = call_rote("sweep", sweep_file, "--dry-run").out.splitlines()
    names = [line.split()[0] for line in lines]
    assert total == f"{len(names)} jobs: {len(names)} to do"
    before = list_tree(workplace)
    outcome = call_rote("sweep", sweep_file, "--store", "new", "--print", "slurm")
    assert (outcome.code, outcome.err) == (0, "")
    assert all(name in outcome.out for name in names)
    assert "rote sweep sweep.yaml --store new" in outcome.out
    assert str(workplace) not in outcome.out
    assert list_tree(workplace) == before
    first, *others = names
    assert call_rote("sweep", sweep_file, "--store", "new", "--threads", "1", "--only", first, "-q").code == 0
    left = call_rote("sweep", sweep_file, "--store", "new", "--print", "slurm").out
    assert first not in left
    assert all(name in left for name in others)
    assert f"#SBATCH --array=0-{len(others) - 1}\n" in left
    monkeypatch.setenv("PYTHONPATH", "my methods")
    assert "\nexport PYTHONPATH='my methods'\n" in call_rote("sweep", sweep_file, "--print", "slurm").out


def test_runs_beside_one_another(finished_run: FinishedRun) -> None:
    runs = (finished_run.folder, finished_run.folder / "records" / "generalize.parquet")
    for flags, first in (((), "generalize"), (("--all",), "before")):
        outcome = call_rote("compare", *runs, *flags)
        assert outcome.code == 0, outcome.err
        head, _, *rows = outcome.out.splitlines()
        assert head == "| moment | facts | prompts | language | mine | generalize | second - first |"
        assert rows[0].startswith(f"| {first} | generalize | key | - | 0.")
        assert rows[-1].startswith("| generalize | ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sweep none.yaml", "none.yaml: there is no such sweep file"),
        ("sweep bad.yaml", "bad.yaml: unknown setting 'memorize.epoch'; the nearest is 'memorize.epochs'"),
        ("sweep sweep.yaml --only nobody", "sweep.yaml: has no job 'nobody'; --dry-run lists them"),
        ("sweep sweep.yaml --ray auto --processes 2", "--processes and --ray exclude each other"),
        ("compare none.json", "none.parquet: there is no such file"),
        ("compare sweep.yaml", "sweep.yaml: is no run"),
        ("compare .", ".: is not a run folder"),
    ],
)
def test_mistakes(sweep_file: Path, workplace: Path, line: str, message: str) -> None:
    (workplace / "bad.yaml").write_text("grid: {memorize.epoch: [1]}")
    before = list_tree(workplace)
    outcome = call_rote(*line.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("rote: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert list_tree(workplace) == before


def test_a_failed_job_is_an_error_after_the_table(sweep_file: Path) -> None:
    content = yaml.safe_load(sweep_file.read_text())
    content["grid"] = {"key_strategy": ["reserved", "new"]}  # the vocabulary has no id to spare
    sweep_file.write_text(yaml.safe_dump(content))
    outcome = call_rote("sweep", sweep_file, "--store", "new", "--threads", "1")
    assert outcome.code == 2
    assert sum("not finished" in line for line in outcome.out.splitlines()) == 1
    assert outcome.err.splitlines()[-1].startswith("rote: 1 of 2 jobs failed: ")


@pytest.mark.parametrize("command", ["sweep", "compare"])
def test_help_has_an_example(command: str) -> None:
    outcome = call_rote(command, "--help")
    assert outcome.code == 0
    assert f"Example: rote {command} " in " ".join(outcome.out.split())
