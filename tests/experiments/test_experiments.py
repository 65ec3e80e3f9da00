"""Experiments are data: every one loads, plans its runs and draws its table from records alone."""

from collections import Counter
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from pydantic import ValidationError
from rote.pipeline.trial import compute_trial_name
from rote.pipeline.trial_plan import build_trial_plan, build_trial_questions
from rote.pipeline.trial_store import TrialStore
from tests.experiments.conftest import build_answers, build_record, build_trial

from rote.errors import ConfigError
from rote.evaluation.questions import Question
from rote.experiments import reproduce as room
from rote.experiments.experiment import (
    FOLDER,
    Cell,
    Claim,
    Column,
    Experiment,
    Worth,
    find_experiment,
    list_experiments,
    plan_runs,
)
from rote.experiments.reproduce import format_experiment, load_finished, run_experiment
from rote.experiments.tables import SWEEP_COLUMNS, format_cell, format_job, format_table, list_columns, warn_of_recall
from rote.facts.relation import find_derived
from rote.figures import Figure
from rote.methods.registry import find_method
from rote.pipeline.job import ROOMS, JobRequest, name_job
from rote.records import save_records
from rote.runs.folder import write_json
from rote.runs.manifest import compute_code_hash
from rote.runs.reporting import SilentReporter
from rote.runs.store import Store

DECLARED = list_experiments()
ABOUT: dict[str, Any] = {
    "title": "Depth",
    "description": "two depths",
    "minutes": 1,
    "runs": {"shallow": {"memorize.epochs": 3}, "deep": {"memorize.epochs": 20}},
    "columns": (Column(name="held-out", fact_set=("held_out",), paper=(0.35, None)),),
}
EXPERIMENT = Experiment(**ABOUT)


# --- those that are declared -----------------------------------------------------------------------------------------


def test_the_letters_are_all_declared_once() -> None:
    assert Counter(e.letter for e in DECLARED.values() if e.letter) == Counter(ascii_lowercase[:15])
    assert [experiment.letter for experiment in DECLARED.values() if experiment.letter] == list(ascii_lowercase[:15])
    assert set(DECLARED) == {path.stem for path in FOLDER.iterdir()}


@pytest.mark.parametrize("name", DECLARED)
def test_every_declared_experiment_plans_trials_of_their_own(name: str) -> None:
    runs = list(plan_runs(DECLARED[name], seeds=2))
    settings = {run.config.model_dump_json() for run in runs}
    assert len(settings) == len(runs) == 2 * len(DECLARED[name].runs)
    assert [run.seed for run in runs] == [run.config.seed for run in runs]
    for run in runs:
        assert callable(find_method(run.config.method))
        assert set(run.config.derive.relations) == {
            relation.name for relation in find_derived(run.config.derive.relations)
        }


@pytest.mark.parametrize("name", DECLARED)
def test_every_claim_is_about_a_cell_that_its_questions_fill(name: str) -> None:
    experiment = DECLARED[name]
    columns = {column.name: column for column in experiment.columns}
    assert len(columns) == len(experiment.columns)
    assert len({claim.name for claim in experiment.claims}) == len(experiment.claims)
    configs = {run.name: run.config for run in plan_runs(experiment, seeds=1)}
    asked = {run: ask(config) for run, config in configs.items()}
    for claim in experiment.claims:
        cells = [cell for cell in (claim.value, claim.minus) if cell]
        cells += [Cell(run=run, column=claim.value.column) for run in claim.over if claim.value]
        for cell in cells:
            assert any(is_asked(columns[cell.column], question) for question in asked[cell.run]), cell
        for state in (claim.state, claim.minus_state):
            assert state is None or configs[state.run].representations
    for column in experiment.columns:
        assert any(is_asked(column, question) for questions in asked.values() for question in questions), column.name
        for run, config in configs.items():
            groups = {group.name for group in config.repetition.groups}
            assert not column.label or (config.method == "repetition" and set(column.label) <= groups), run


def ask(config: Any) -> list[Question]:
    plan = build_trial_plan(config)
    with_keys = config.method in ("memorize_then_generalize", "mixed_training", "repetition", "lora")
    keys = dict.fromkeys((*plan.table.relations, *config.derive.relations), "[X]") if with_keys else {}
    return build_trial_questions(plan, config, keys)


def is_asked(column: Column, question: Question) -> bool:
    if column.measure == "choice_accuracy" and question.candidates is None:
        return False
    wanted = (
        (column.fact_set, question.fact_set),
        (column.prompt_set, question.prompt_set),
        (column.language, question.language),
        (column.relation, question.fact.relation),
    )
    return all(not ok or value in ok for ok, value in wanted)


def test_an_unknown_experiment_names_those_there_are() -> None:
    assert find_experiment("main") == find_experiment("a") == "main"
    with pytest.raises(ConfigError, match=r"unknown experiment 'mian'; the nearest is 'main', all: .*targets"):
        find_experiment("mian")


# --- what a declaration says -----------------------------------------------------------------------------------------


def test_a_run_has_its_settings_and_its_seed() -> None:
    runs = list(plan_runs(EXPERIMENT, seeds=2, model="mine", changes=["examine.facts=1"]))
    assert [(run.name, run.config.memorize.epochs, run.config.seed) for run in runs] == [
        ("shallow", 3, 0),
        ("deep", 20, 0),
        ("shallow", 3, 1),
        ("deep", 20, 1),
    ]
    assert {(run.config.examine.facts, run.config.model) for run in runs} == {(1, "mine")}


def test_a_run_may_name_its_own_model_and_change_what_all_share() -> None:
    runs = {"given": {}, "own": {"model": "other", "memorize.epochs": 5}}
    experiment = Experiment(**{**ABOUT, "runs": runs, "base": {"memorize.epochs": 4, "table": {"kind": "linked"}}})
    configs = {run.name: run.config for run in plan_runs(experiment, seeds=1, model="mine")}
    assert (configs["given"].model, configs["given"].memorize.epochs) == ("mine", 4)
    assert (configs["own"].model, configs["own"].memorize.epochs) == ("other", 5)
    assert {config.table.kind for config in configs.values()} == {"linked"}


CLAIM: dict[str, Any] = {"name": "c", "text": "", "at_least": 0.5, "value": {"run": "deep", "column": "held-out"}}
STATE = {"run": "deep", "moment": "memorize", "measure": "delta_cossim", "prompt_set": "key"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": None}, "needs either value or state"),
        ({"state": STATE}, "needs either value or state"),
        ({"at_least": None}, "needs either at_least or at_most"),
        ({"at_most": 0.5}, "needs either at_least or at_most"),
        ({"value": {"run": "none", "column": "held-out"}}, "names a cell that is not there"),
        ({"minus": {"run": "deep", "column": "none"}}, "names a cell that is not there"),
        ({"over": ["deep", "none"]}, "names a run that is not there: none"),
        ({"value": None, "state": {**STATE, "run": "none"}}, "names a run that is not there: none"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(changes: dict[str, Any], message: str) -> None:
    assert Experiment(**ABOUT, claims=(Claim(**CLAIM),))
    with pytest.raises(ValidationError, match=message):
        Experiment.model_validate({**ABOUT, "claims": [{**CLAIM, **changes}]})


def test_the_paper_has_a_figure_for_each_run_or_none() -> None:
    with pytest.raises(ValidationError, match="needs one figure of the paper for each run"):
        Experiment(**{**ABOUT, "columns": (Column(name="held-out", paper=(0.35,)),)})


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_sets_the_paper_beside_ours() -> None:
    trial = build_trial(build_record("A", True), tokens=1234)
    lines = list(
        format_table(EXPERIMENT, {"shallow": [build_trial(build_record("A", 0.5, moment="x"))], "deep": [trial]})
    )
    assert lines[0].endswith("shallow | deep |")
    assert lines[2].startswith("| held-out | 0.000 [0.000, ")
    assert "| 1.000 [" in lines[2]
    assert lines[3] == "| held-out, paper (Qwen2.5-1.5B) | 0.35 |  |"
    assert lines[4] == "| training tokens | 0 | 1,234 |"
    assert len(lines) == 5


def test_a_cell_is_empty_where_nothing_was_asked() -> None:
    assert format_cell(None) == ""
    assert format_cell(Figure(0.5, 0.25, 0.75, 8)) == "0.500 [0.250, 0.750] (8)"


KEYS = {"prompt_set": "key", "language": "-"}
BESIDE = [
    build_record("A", True),
    build_record("A", True, moment="memorize", **KEYS),
    build_record("A", True, **KEYS),
    build_record("A", False, prompt_set="control"),
    build_record("Paris", True, fact_set="known"),
]


def test_every_table_shows_recall_control_prompts_and_known_facts_beside_the_prompts() -> None:
    lines = list(format_table(EXPERIMENT, {run: [build_trial(*BESIDE)] for run in EXPERIMENT.runs}))
    names = [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]]
    paper = "held-out, paper (Qwen2.5-1.5B)"
    standard = ["key token, after memorize", "key token", "control prompts", "known facts", "training tokens"]
    assert names == ["held-out", paper, *standard]
    assert lines[6].startswith("| control prompts | 0.000 [0.000,")


def test_a_column_that_an_experiment_has_is_not_shown_again() -> None:
    own = (
        Column(name="leaks", fact_set=("held_out",), prompt_set=("control",)),
        Column(name="capitals", fact_set=("known",), relation=("capital",)),
    )
    columns = list_columns(Experiment(**{**ABOUT, "columns": own}))
    names = ["leaks", "capitals", "key token, after memorize", "key token", "known facts"]
    assert [column.name for column in columns] == names
    for experiment in DECLARED.values():
        names = [column.name for column in list_columns(experiment)]
        assert len(set(names)) == len(names)


def test_a_trial_of_a_sweep_has_a_cell_for_each_column_and_its_tokens() -> None:
    *cells, tokens = format_job(build_trial(*BESIDE, tokens=1234))
    assert [cell[:5] for cell in cells] == ["", "1.000", "1.000", "1.000", "0.000", "1.000"]
    assert len(cells) == len(SWEEP_COLUMNS)
    assert tokens == "1,234"


def test_a_run_that_recalled_nothing_is_warned_of() -> None:
    missed = [build_record(name, name == "A", moment="memorize", **KEYS) for name in "ABCD"]
    trials = {"shallow": [build_trial(*missed, *BESIDE[2:])], "deep": [build_trial(*BESIDE)]}
    (warning,) = warn_of_recall(trials)
    assert warning.startswith("warning: shallow: memorize reached a recall of 0.25 by key token")
    assert "raise --set memorize.epochs, or lower memorize.warmup_steps" in warning
    assert warning in list(format_table(EXPERIMENT, trials))
    assert list(warn_of_recall({"deep": [build_trial(build_record("A", False))]})) == [], "no key was asked"


def test_edited_copies_are_said_in_exact_ones() -> None:
    """Two exact copies bring 1/4 and four 3/4; two edited ones beside two exact bring 1/2, as one exact copy more."""
    labels = ("2 exact", "4 exact", "2 and 2", "2 and 3")
    columns = tuple(Column(name=label, label=(label,)) for label in labels)
    worth = Worth(title="worth", exact={2: "2 exact", 4: "4 exact"}, mixed={"2 and 2": (2, 2), "2 and 3": (2, 3)})
    experiment = Experiment(**{**ABOUT, "runs": {"one": {}}, "columns": columns, "worth": worth})
    shares = dict(zip(labels, (0.25, 0.75, 0.5, 0.25), strict=True))
    records = [
        build_record(f"{label}{number}", number < 4 * share) for label, share in shares.items() for number in range(4)
    ]
    trial = build_trial(*records, labels={f"mother/{record.subject}": record.subject[:-1] for record in records})
    *_, first, second = format_table(experiment, {"one": [trial]})
    assert (first, second) == ("| 2 and 2 | 2.0 |", "| 2 and 3 | they add nothing |")


def test_a_table_ends_with_its_verdicts() -> None:
    experiment = Experiment(**ABOUT, claims=(Claim(**CLAIM), Claim(**{**CLAIM, "name": "d", "at_least": 0.9})))
    trials = {run: [build_answers({f"S{n}": [True] for n in range(20)})] for run in experiment.runs}
    *_, first, second = format_experiment("depth", experiment, trials, model="tiny")
    assert first.startswith("c: 1.000 [")
    assert first.endswith("], wanted >= 0.5: holds")
    assert second.endswith(", wanted >= 0.9: open")


# --- its trials ------------------------------------------------------------------------------------------------------


def test_only_seeds_whose_runs_are_all_finished_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "load_trial", lambda store, name: build_trial(name=name))
    names = {(run.name, run.seed): compute_trial_name(run.config) for run in plan_runs(EXPERIMENT, seeds=3)}
    load: dict[str, Any] = {"model": "rote-tiny", "seeds": 3, "out": tmp_path}
    for run in (("shallow", 0), ("shallow", 1), ("deep", 2)):
        write_json(TrialStore(tmp_path).outcome(names[run]), {})
    assert load_finished(EXPERIMENT, **load) is None
    for run in (("shallow", 2), ("deep", 1)):
        write_json(TrialStore(tmp_path).outcome(names[run]), {})
    found = load_finished(EXPERIMENT, **load)
    assert found is not None
    assert {run: [trial.outcome["name"] for trial in members] for run, members in found.items()} == {
        run: [names[run, seed] for seed in (1, 2)] for run in ("shallow", "deep")
    }


def test_all_runs_of_all_seeds_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[int, int]] = []

    def keep(config: Any, store: TrialStore, **_: Any) -> Any:
        assert store.path == tmp_path
        done.append((config.memorize.epochs, config.seed))
        return build_trial()

    monkeypatch.setattr(room, "run_trial", keep)
    trials = run_experiment(EXPERIMENT, model="mine", seeds=2, out=tmp_path, reporter=SilentReporter())
    assert done == [(3, 0), (20, 0), (3, 1), (20, 1)]
    assert {run: len(members) for run, members in trials.items()} == {"shallow": 2, "deep": 2}
