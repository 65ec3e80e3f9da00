"""What `rote results` writes holds the figures of the records, of finished seeds only."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rote.pipeline.trial import compute_trial_name
from rote.pipeline.trial_store import TrialStore

from rote.errors import RunError
from rote.evaluation.statistics import compute_interval
from rote.experiments import results
from rote.experiments.claims import ClaimRow
from rote.experiments.experiment import Cell, Claim, Column, Experiment, plan_runs
from rote.records import Record, save_records
from rote.runs.folder import write_json

MODEL = "rote-tiny"
SUBJECTS = ("Gene", "Cody", "Mira", "Ruth")
EXPERIMENT = Experiment(
    letter="z",
    title="Two depths",
    description="recall by depth",
    minutes=1,
    runs={"shallow": {"memorize.epochs": 3}, "deep": {"memorize.epochs": 20}},
    columns=(Column(name="held-out", fact_set=("held_out",), paper=(0.35, 0.98)), Column(name="known", paper=())),
    claims=(
        Claim(
            name="depth",
            text="Deeper is better",
            paper="0.98 - 0.35",
            value=Cell(run="deep", column="held-out"),
            minus=Cell(run="shallow", column="held-out"),
            at_least=0.9,
            why="four facts are few",
        ),
    ),
)
SHALLOW, DEEP = (True, False, False, False), (True, True, True, True)


def build_records(correct: Sequence[bool]) -> list[Record]:
    """One answer about each subject."""
    return [
        Record(
            moment="generalize",
            fact_set="held_out",
            prompt_set="held_out",
            language="en",
            relation="mother",
            subject=subject,
            object="Ada",
            prompt=f"The mother of {subject} is",
            generated=" Ada" if right else " Eve",
            correct=right,
            object_logprobs=(-0.1,),
            object_probability=0.9,
            rank=None,
            candidates=None,
        )
        for subject, right in zip(SUBJECTS, correct, strict=True)
    ]


def save_trials(folder: Path, *, seed: int, runs: Sequence[str] = ("shallow", "deep")) -> None:
    """Finished trials of one seed, as `rote reproduce` leaves them."""
    store = TrialStore(folder)
    store.outcome("x").parent.mkdir(parents=True, exist_ok=True)
    points = [{"moment": "memorize", "relation": "mother", "kind": "key", "x": float(seed), "y": 1.0}]
    outcome: dict[str, Any] = {"labels": {}, "representations": [], "points": points, "config": {"model": MODEL}}
    for planned in plan_runs(EXPERIMENT, seeds=seed + 1, model=MODEL):
        if planned.seed == seed and planned.name in runs:
            name = compute_trial_name(planned.config)
            save_records(build_records(SHALLOW if planned.name == "shallow" else DEEP), store.records(name))
            write_json(store.outcome(name), {**outcome, "training_tokens": 1234})


@pytest.fixture
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for trials, in a world where there are two experiments."""
    other = EXPERIMENT.model_copy(update={"base": {"retain.texts": 7}, "title": "Never done"})
    monkeypatch.setattr(results, "list_experiments", lambda: {"depths": EXPERIMENT, "other": other})
    return tmp_path / "trials"


def write(trials: Path, *, seeds: int = 3) -> tuple[str, list[ClaimRow], str]:
    """The three files as they are read."""
    out = trials.parent / "out"
    results.write_results(out, trials=trials, model=MODEL, seeds=seeds)
    claims = json.loads((out / "results" / "claims.json").read_text(encoding="utf-8"))
    page = (out / "results" / "results.html").read_text(encoding="utf-8")
    return (out / "RESULTS.md").read_text(encoding="utf-8"), claims, page


def test_the_table_holds_exactly_the_figures_of_the_records(trials: Path) -> None:
    save_trials(trials, seed=0)
    text, _, _ = write(trials)
    cells = [compute_interval([float(right) for right in run], SUBJECTS) for run in (SHALLOW, DEEP)]
    ours = " | ".join(f"{cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}] (4)" for cell in cells)

    assert (cells[0].value, cells[1].value) == (0.25, 1.0)
    assert f"| held-out | {ours} |" in text
    assert "| held-out, paper (Qwen2.5-1.5B) | 0.35 | 0.98 |" in text
    assert "| training tokens | 1,234 | 1,234 |" in text
    assert "## Two depths (z)" in text
    assert "Recall by depth. 1 seed(s): `rote reproduce depths --seeds 1`" in text
    assert "not finished here: `other`." in text


def test_rows_of_claims_have_the_documented_keys(trials: Path) -> None:
    save_trials(trials, seed=0)
    _, (row,), _ = write(trials)

    assert set(row) == set(ClaimRow.__annotations__)
    assert (row["claim"], row["experiment"], row["model"], row["seeds"]) == ("depth", "depths", MODEL, 1)
    assert (row["ours"], row["bound"], row["verdict"]) == (0.75, ">= 0.9", "open")
    assert row["low"] < 0.75 < row["high"]
    assert row["why"] == "four facts are few"


def test_the_page_shows_the_same_figures(trials: Path) -> None:
    save_trials(trials, seed=0)
    _, (row,), page = write(trials)
    interval = compute_interval([float(right) for right in SHALLOW], SUBJECTS)

    described = f"shallow 0.25 [{interval.low:.2f}, {interval.high:.2f}], n 4, paper 0.35"
    assert described in page
    assert f"<b>0.750</b> <small>[{row['low']:.3f}, {row['high']:.3f}]</small>" in page
    assert "~ open" in page
    assert "Four facts are few." in page
    assert "Two depths (z)" in page
    assert "not finished here: <bdi>other</bdi>" in page


def test_runs_with_the_same_hidden_states_share_a_plane_of_the_first_seed(trials: Path) -> None:
    save_trials(trials, seed=0)
    save_trials(trials, seed=1)
    _, _, page = write(trials)

    assert page.count('class="curve scatter"') == 1
    assert "shallow and deep, after memorize" in page


def test_unfinished_seeds_are_not_counted(trials: Path) -> None:
    save_trials(trials, seed=0)
    save_trials(trials, seed=1, runs=("deep",))
    save_trials(trials, seed=2)
    text, (row,), _ = write(trials)

    assert row["seeds"] == 2
    assert "(8)" in text  # four questions of two seeds
    assert "(12)" not in text
    assert write(trials, seeds=1)[1][0]["seeds"] == 1


def test_trials_without_points_are_still_read(trials: Path) -> None:
    save_trials(trials, seed=0)
    for path in (trials / "trials").glob("*.json"):
        outcome = json.loads(path.read_text(encoding="utf-8"))
        del outcome["points"]
        write_json(path, outcome)

    assert 'class="curve scatter"' not in write(trials)[2]


def test_nothing_finished_is_an_error_that_says_what_to_do(trials: Path) -> None:
    save_trials(trials, seed=0, runs=("deep",))
    with pytest.raises(RunError, match="rote reproduce NAME"):
        write(trials)
    assert not (trials.parent / "out").exists()
