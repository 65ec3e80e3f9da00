"""`--track`: what the trackers are given, and that it stays on this machine."""

import json
import os
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.cli.conftest import SMALL, FinishedRun, call_rote

from rote.cli.tracking import Tracker, TrackingReporter, track
from rote.pipeline.run import Result
from rote.runs.folder import RunFolder, write_json
from rote.runs.reporting import SilentReporter


class FakeWandb(ModuleType):
    """In the place of the package: writes down what it is given, and where it would go."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.begun: list[dict[str, Any]] = []
        self.logged: list[dict[str, Any]] = []
        self.mode: str | None = None
        self.ended = 0

    def init(self, **options: Any) -> None:
        self.begun.append(options)
        self.mode = os.environ.get("WANDB_MODE")
        print("wandb says something")

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.ended += 1


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setenv("WANDB_MODE", "")  # so that it is put back afterwards
    monkeypatch.delenv("WANDB_MODE")
    return fake


def read_expected(folder: Path) -> tuple[list[tuple[str, float]], dict[str, dict[str, float]]]:
    """The losses by stage and the figures by moment, from the files of a run."""
    losses = [
        (stage, entry["loss"])
        for stage in ("memorize", "generalize")
        for entry in json.loads((folder / stage / "history.json").read_text(encoding="utf-8"))
    ]
    figures: dict[str, dict[str, float]] = {}
    for row in json.loads((folder / "summary.json").read_text(encoding="utf-8")):
        name = f"{row['measure']}/{row['fact_set']}/{row['prompt_set']}/{row['language']}"
        figures.setdefault(row["moment"], {})[name] = row["mean"]
    return losses, figures


def check(logged: list[dict[str, Any]], folder: Path, tolerance: float) -> None:
    losses, figures = read_expected(folder)
    found = [(key.split("/")[0], value) for row in logged for key, value in row.items() if key.endswith("/loss")]
    assert [stage for stage, _ in found] == [stage for stage, _ in losses]
    assert [loss for _, loss in found] == pytest.approx([loss for _, loss in losses], rel=tolerance)
    moments = {row["moment"]: row for row in logged if "moment" in row}
    assert {
        moment: {k: v for k, v in row.items() if k in figures[moment]} for moment, row in moments.items()
    } == figures


def test_a_run_tells_wandb_its_losses_and_figures_offline(
    wandb: FakeWandb, workplace: Path, model_folder: Path
) -> None:
    words: tuple[str | Path, ...] = (
        "run",
        "facts.csv",
        "--model",
        model_folder,
        "--out",
        "mine",
        *SMALL,
        "--json",
        "--track",
        "wandb",
    )
    outcome = call_rote(*words)
    assert outcome.code == 3, outcome.err
    assert json.loads(outcome.out)["verdict"], "what wandb prints is not on standard output"
    assert "wandb says something" in outcome.err
    (begun,) = wandb.begun
    assert (begun["project"], begun["name"], begun["config"]["memorize"]["epochs"]) == ("rote", "mine", 1)
    assert (wandb.mode, wandb.ended) == ("offline", 1)
    check(wandb.logged, workplace / "mine", tolerance=1e-3)


def test_wandb_goes_online_where_the_user_says_so_and_is_ended_after_an_error(
    wandb: FakeWandb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(KeyError), track(Tracker.wandb, SilentReporter(), "mine", {}):
        raise KeyError
    assert (wandb.mode, wandb.ended) == ("online", 1)


def test_trackio_has_the_losses_of_stages_that_were_done_before(
    finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own database, in a folder of its own, whatever space it is told to send them to."""
    place = tmp_path_factory.mktemp("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(place))
    monkeypatch.setenv("TRACKIO_SPACE_ID", "somebody/space")
    trackio = pytest.importorskip("trackio")
    assert str(trackio.utils.TRACKIO_DIR) == str(place), "read when the package is imported"
    outcome = call_rote(*finished_run.words, "--resume", "--track", "trackio", "--json")
    assert outcome.code == 3, outcome.err
    json.loads(outcome.out)
    (database,) = place.rglob("rote*.db")
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT run_name, metrics FROM metrics ORDER BY id").fetchall()
    assert {name for name, _ in rows} == {"mine"}
    check([json.loads(metrics) for _, metrics in rows], finished_run.folder, tolerance=1e-9)


def test_other_steps_are_passed_on_and_not_logged() -> None:
    logged: list[Any] = []
    reporter = TrackingReporter(SilentReporter(), logged.append)
    with reporter.step("examine: before") as advance:
        advance(1, 2, "")
    with reporter.step("memorize") as advance:
        advance(1, 2, "loss 0.0001234")
    assert logged == [{"memorize/step": 1, "memorize/loss": 0.0001234}]


def test_a_tracker_that_is_missing_is_one_line_and_nothing_is_begun(
    workplace: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    outcome = call_rote("run", "facts.csv", "--model", model_folder, "--out", "mine", "--track", "wandb")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "rote: --track wandb: wandb is not installed; pip install -e '.[wandb]'\n"
    assert not (workplace / "mine").exists()


def test_a_stage_that_was_gone_on_with_has_the_losses_of_before(tmp_path: Path) -> None:
    """Two updates were done before it was stopped, and are in the history alone."""
    folder = RunFolder(tmp_path)
    history = [{"step": step, "loss": step / 10} for step in range(1, 5)]
    write_json(folder.history("memorize"), history)
    logged: list[Any] = []
    reporter = TrackingReporter(SilentReporter(), logged.append)
    with reporter.step("memorize") as advance:
        for step in (3, 4):
            advance(step, 4, f"loss {step / 10}")
    outcome = {"stages": [{"name": "memorize"}]}
    reporter.finish(Result([], outcome, folder))
    assert sorted(values["memorize/step"] for values in logged) == [1, 2, 3, 4]
