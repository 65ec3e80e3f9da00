"""Experiments are data: every one loads, plans its runs and draws its table from records alone."""

import pytest

from rote.errors import ConfigError
from rote.experiments.experiment import Column, Experiment, compute_cells, find_experiment, list_experiments, plan_runs
from rote.experiments.reproduce import format_markdown
from rote.records import Record


def build_record(subject: str, *, correct: bool, moment: str = "generalize") -> Record:
    about = {"fact_set": "held_out", "prompt_set": "held_out", "language": "en", "relation": "mother"}
    said = {"object": "B", "prompt": "?", "generated": "", "object_logprobs": (), "object_probability": 0.0}
    return Record(moment=moment, subject=subject, correct=correct, rank=None, candidates=None, **about, **said)  # type: ignore[arg-type]


EXPERIMENT = Experiment(
    description="two depths",
    runs={"shallow": {"memorize.epochs": 3}, "deep": {"memorize.epochs": 20}},
    columns=(Column(name="held-out", moment="generalize", fact_set=("held_out",), paper=(0.35, 0.98)),),
)


@pytest.mark.parametrize("name", list_experiments())
def test_every_shipped_experiment_plans_runs_with_names_of_their_own(name: str) -> None:
    experiment = find_experiment(name)
    runs = list(plan_runs(experiment, seeds=2))
    assert len({run.folder_name for run in runs}) == len(runs) == 2 * len(experiment.runs)
    assert all(len(column.paper) in (0, len(experiment.runs)) for column in experiment.columns)


def test_a_run_has_its_settings_and_its_seed() -> None:
    runs = list(plan_runs(EXPERIMENT, seeds=2, changes=["examine.facts=1"]))
    assert [(run.config.memorize.epochs, run.seed) for run in runs] == [(3, 0), (20, 0), (3, 1), (20, 1)]
    assert {run.config.examine.facts for run in runs} == {1}


def test_a_cell_counts_only_the_records_that_fit() -> None:
    records = [build_record("A", correct=True), build_record("C", correct=False)]
    records.append(build_record("D", correct=True, moment="before"))
    cell = compute_cells(EXPERIMENT, {"deep": records})["deep", "held-out"]
    assert (cell.mean, cell.n) == (0.5, 2)
    assert cell.low < 0.5 < cell.high


def test_the_table_sets_the_paper_beside_ours() -> None:
    cells = compute_cells(EXPERIMENT, {"deep": [build_record("A", correct=True)]})
    lines = list(format_markdown(EXPERIMENT, cells))
    assert lines[2].startswith("| held-out |  | 1.000 [")
    assert lines[3].endswith("| 0.35 | 0.98 |")


def test_an_unknown_experiment_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="targets"):
        find_experiment("depths")
