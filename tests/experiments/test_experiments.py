"""Experiments are data: every one loads, plans its runs and draws its table from records alone."""

import re
from collections import Counter
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from pydantic import ValidationError
from tests.experiments.conftest import build_answers, build_job, build_record, write_shape

from rote.errors import ConfigError
from rote.evaluation.questions import Question
from rote.experiments.experiment import (
    FOLDER,
    Cell,
    Claim,
    Column,
    Experiment,
    Needed,
    PlannedRun,
    Worth,
    build_experiment_config,
    find_experiment,
    list_causes,
    list_experiments,
    plan_runs,
)
from rote.experiments.figures import compute_cells
from rote.experiments.reproduce import (
    describe_commands,
    describe_runs,
    format_experiment,
    load_finished,
    run_experiment,
)
from rote.experiments.tables import (
    SWEEP_COLUMNS,
    build_tables,
    format_cell,
    format_job,
    format_rows,
    format_table,
    list_columns,
    warn_of_recall,
)
from rote.figures import Figure
from rote.pipeline.job import ROOMS, JobRequest, name_job
from rote.runs.manifest import compute_code_hash
from rote.runs.reporting import SilentReporter
from rote.runs.store import JobResult, Store

DECLARED = list_experiments()
ABOUT: dict[str, Any] = {
    "title": "Depth",
    "description": "two depths",
    "minutes": 1,
    "runs": {"shallow": {"memorize.epochs": 3}, "deep": {"memorize.epochs": 20}},
    "columns": (Column(name="held-out", fact_set=("held_out",), paper=(0.35, None)),),
}
EXPERIMENT = Experiment(**ABOUT)
ALONE = {"columns": (Column(name="held-out"),)}


# --- those that are declared -----------------------------------------------------------------------------------------


def test_the_letters_are_all_declared_once() -> None:
    assert Counter(e.letter for e in DECLARED.values() if e.letter) == Counter(ascii_lowercase[:20])
    assert [experiment.letter for experiment in DECLARED.values() if experiment.letter] == list(ascii_lowercase[:20])
    assert set(DECLARED) == {path.stem for path in FOLDER.iterdir()}


@pytest.fixture(scope="module")
def planned(size_folder: Path) -> dict[str, list[PlannedRun]]:
    """The runs of every declared experiment; the smaller sister of rote-tiny is made up, and so are large tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(size_folder)
        return {name: list(plan_runs(shrink(experiment), seeds=1)) for name, experiment in DECLARED.items()}


def shrink(experiment: Experiment) -> Experiment:
    """The same with tables of about 100 facts of each relation in the place of larger ones, which take minutes."""
    runs = {
        name: {**settings, "table.count": 101 + index} if settings.get("table.count", 0) > 200 else settings
        for index, (name, settings) in enumerate(experiment.runs.items())
    }
    return experiment.model_copy(update={"runs": runs})


@pytest.fixture(scope="module")
def size_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the model that the experiment `size` wants, by its shape alone."""
    folder = tmp_path_factory.mktemp("size")
    write_shape(folder / "runs" / "models" / "rote-small" / "model", layers=1)
    return folder


@pytest.mark.parametrize("name", DECLARED)
def test_every_declared_experiment_plans_jobs_of_their_own(name: str, planned: dict[str, list[PlannedRun]]) -> None:
    runs = planned[name]
    settings = {run.request.config.model_dump_json() for run in runs}
    assert len(settings) == len(runs) == len(DECLARED[name].runs)


@pytest.mark.parametrize("name", DECLARED)
def test_every_claim_is_about_a_cell_that_its_questions_fill(name: str, planned: dict[str, list[PlannedRun]]) -> None:
    experiment = DECLARED[name]
    columns = {column.name: column for column in experiment.columns}
    assert len(columns) == len(experiment.columns)
    assert len({claim.name for claim in experiment.claims}) == len(experiment.claims)
    requests = {run.name: run.request for run in planned[name]}
    asked = {run: ask(request) for run, request in requests.items()}
    for claim in experiment.claims:
        cells = [cell for cell in (claim.value, claim.minus) if cell]
        cells += [Cell(run=run, column=claim.value.column) for run in claim.over if claim.value]
        for cell in cells:
            assert any(is_asked(columns[cell.column], question) for question in asked[cell.run]), cell
        for state in (claim.state, claim.minus_state):
            assert state is None or requests[state.run].config.representations
    for column in experiment.columns:
        assert any(is_asked(column, question) for questions in asked.values() for question in questions), column.name
        for run, request in requests.items():
            groups = {group.name for group in request.config.repetition.groups}
            method = request.config.method
            assert not column.label or (method == "repetition" and set(column.label) <= groups), run


def ask(request: JobRequest) -> list[Question]:
    plan, config = request.plan, request.config
    with_keys = config.method in ("memorize_then_generalize", "mixed_training", "repetition")
    keys = dict.fromkeys((*plan.table.relations, *config.derive.relations), "[X]") if with_keys else {}
    return plan.build_questions([fact for facts in plan.known.values() for fact in facts[:100]], keys, chat=False)


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
    with pytest.raises(ConfigError, match="unknown experiment ''"):
        find_experiment("")  # as of a variable of a shell that is not set


# --- what a declaration says -----------------------------------------------------------------------------------------


def test_a_run_has_its_settings_and_its_seed() -> None:
    runs = list(plan_runs(EXPERIMENT, seeds=2, changes=["examine.facts=1"]))
    assert [(run.name, run.request.config.memorize.epochs, run.request.config.seed) for run in runs] == [
        ("shallow", 3, 0),
        ("deep", 20, 0),
        ("shallow", 3, 1),
        ("deep", 20, 1),
    ]
    assert {(run.request.config.examine.facts, run.request.config.model) for run in runs} == {(1, "rote-tiny")}


@pytest.mark.parametrize(
    "change", ["memorize.epochs=5", "memorize={epochs: 5}", "generalize.facts=25", "generalize.warmup_steps=2"]
)
def test_what_a_run_says_of_itself_is_not_changed(change: str) -> None:
    with pytest.raises(ConfigError, match=r"--set \S+: runs of 'Depth of memorization' differ in it.*leave it out"):
        list(plan_runs(DECLARED["main"], seeds=1, changes=[change]))


@pytest.mark.parametrize(
    ("changes", "table", "remedy"),
    [
        (["table.relations=[mother]"], "linked facts of mother", "name --set table.relations=[mother,educated_at]"),
        (
            ["table.relations=[mother]", "table.kind=fictional"],
            "fictional facts of mother",
            "leave --set table.kind out, and name --set table.relations=[mother,educated_at]",
        ),
        (
            ["table={kind: fictional, relations: [mother]}"],
            "fictional facts of mother",
            "leave --set table.kind out, and name --set table.relations=[mother,educated_at]",
        ),
    ],
)
def test_a_table_that_nothing_follows_from_is_refused(changes: list[str], table: str, remedy: str) -> None:
    experiment = list_experiments()["two_hop"]
    fault = f"the table ({table}): nothing that 'Two hops' asks about (mothers_university) follows from it; {remedy}"
    with pytest.raises(ConfigError, match=f"^{re.escape(fault)}$"):
        next(plan_runs(experiment, seeds=1, changes=changes))


def test_a_table_of_two_relations_that_others_follow_from_is_taken() -> None:
    experiment = list_experiments()["two_hop"]
    (run, *_) = plan_runs(experiment, seeds=1, changes=["table.relations=[mother,educated_at]", "table.count=4"])
    assert len(run.request.plan.derived_facts) == 4


def test_the_seed_of_an_experiment_is_none_of_its_settings() -> None:
    with pytest.raises(ConfigError, match="--set seed: an experiment has its own; say how many with --seeds"):
        list(plan_runs(EXPERIMENT, seeds=1, changes=["seed=7"]))


def test_the_model_is_none_of_the_settings_as_results_are_known_by_it() -> None:
    with pytest.raises(ConfigError, match="--set model: results are known by it; say it with --model"):
        list(plan_runs(EXPERIMENT, seeds=1, changes=["model=./mine"]))


def test_an_experiment_whose_runs_all_name_their_models_is_done_with_no_other() -> None:
    experiment = Experiment(**{**ABOUT, "runs": {"one": {"model": "rote-tiny"}, "two": {"model": "rote-tiny"}}})
    assert len(list(plan_runs(experiment, seeds=1))) == 2
    with pytest.raises(ConfigError, match="--model mine: 'Depth' is about models of its own; leave it out"):
        next(plan_runs(experiment, seeds=1, model="mine"))


@pytest.mark.parametrize("change", ["generalize.learning_rate=0.5", "generalize={learning_rate: 0.5}"])
def test_a_multiple_that_a_run_says_stays_where_the_others_change(change: str) -> None:
    def read_rates(*changes: str) -> dict[str, float]:
        runs = plan_runs(experiment, seeds=1, changes=changes)
        return {run.name: run.request.config.generalize.learning_rate for run in runs}

    experiment = Experiment(**{**ABOUT, "runs": {"usual": {}, "fast": {"generalize.learning_rate": "x3"}}})
    before, after = read_rates(), read_rates(change)
    assert after["usual"] == 0.5
    assert after["fast"] == before["fast"] == pytest.approx(3 * before["usual"])


def test_a_model_with_rates_of_its_own_is_taught_at_those(tmp_path: Path) -> None:
    """A tripled rate closes a real model's other answers, and one example shown at it spoils the rest (dev/LOG.md)."""
    large = str(write_shape(tmp_path / "large"))
    runs = {"usual": {}, "one": {"generalize.learning_rate": "x3"}}
    experiment = Experiment(**{**ABOUT, "runs": runs, "base": {"repurpose": {"epochs": 8, "learning_rate": "x3"}}})
    usual, one = (run.request.config for run in plan_runs(experiment, seeds=1, model=large))
    assert one.generalize == usual.generalize
    assert (one.repurpose.epochs, one.repurpose.learning_rate) == (8, 1e-5)


def test_a_run_may_name_its_own_model_and_change_what_all_share(tmp_path: Path) -> None:
    mine, other = (str(write_shape(tmp_path / name, layers=1)) for name in ("mine", "other"))
    runs = {"given": {}, "own": {"model": other, "memorize.epochs": 5}}
    experiment = Experiment(**{**ABOUT, "runs": runs, "base": {"memorize.epochs": 4, "table": {"kind": "linked"}}})
    configs = {run.name: run.request.config for run in plan_runs(experiment, seeds=1, model=mine)}
    assert (configs["given"].model, configs["given"].memorize.epochs) == (mine, 4)
    assert (configs["own"].model, configs["own"].memorize.epochs) == (other, 5)
    assert {config.table.kind for config in configs.values()} == {"linked"}


def test_a_setting_is_the_value_it_is_given_and_not_read_as_yaml_again() -> None:
    """Each of these is something else, or nothing at all, once it was written into a line and read again."""
    settings = {
        "key_token": "[K{number}]",
        "memorize.stop_at_recall": None,
        "examine.languages": ["en", "no"],
        "examine.known_facts": 1,
    }
    config = build_experiment_config(settings)
    assert (config.key_token, config.memorize.stop_at_recall) == ("[K{number}]", None)
    assert config.examine.languages == ("en", "no")
    assert build_experiment_config({"key_token": "# {number}"}).key_token == "# {number}"
    (run,) = plan_runs(Experiment(**{**ABOUT, **ALONE, "runs": {"one": {"key_token": "#{number}"}}}), seeds=1)
    assert run.request.config.key_token == "#{number}"


def test_settings_fit_the_size_of_the_model_and_what_is_given_as_times_is_times_those(tmp_path: Path) -> None:
    large = str(write_shape(tmp_path / "large"))
    for model, rates in (("rote-tiny", (5e-4, 3e-4)), (large, (1e-5, 3e-5))):
        config = build_experiment_config({"model": model, "generalize.learning_rate": "x3"})
        assert config.memorize.learning_rate == rates[0]
        assert config.generalize.learning_rate == pytest.approx(rates[1])
    named = build_experiment_config({"model": large, "memorize": {"epochs": 3}, "memorize.learning_rate": 2e-5})
    assert (named.memorize.learning_rate, named.memorize.batch_size, named.memorize.epochs) == (2e-5, 4, 3)
    assert build_experiment_config({"key_token": "x3"}).key_token == "x3", "a text is what it is"
    assert build_experiment_config({"memorize.epochs": "x3"}).memorize.epochs == 60
    for key in ("retain.generalize", "generalize.facts"):
        with pytest.raises(ConfigError, match=rf"{key}=x3: there is no number to multiply"):
            build_experiment_config({key: "x3"})


def test_the_epochs_of_a_declaration_are_those_that_are_run_on_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rote.experiments.experiment._count_parameters", lambda _: 135_000_000)
    for epochs in (3, 6, 20):
        config = build_experiment_config({"memorize.epochs": epochs, "generalize.epochs": 1})
        assert config.memorize.count_epochs(100) == epochs
        assert config.generalize.count_epochs(100) == 1
    assert build_experiment_config({"retain.texts": "x1"}).retain.texts == 200


@pytest.mark.parametrize("name", [name for name in DECLARED if name != "size"])
def test_no_declaration_sets_a_rate_of_rote_tiny_for_other_models(name: str, tmp_path: Path) -> None:
    """The paper's rates are 1e-5 for 1.5 B parameters; thirty times as much would ruin such a model."""
    large = str(write_shape(tmp_path / "large"))
    for run in plan_runs(shrink(DECLARED[name]), seeds=1, model=large):
        config = run.request.config
        for phase in (config.memorize, config.generalize, config.fine_tune, config.repurpose):
            assert phase.learning_rate <= 3.1e-5, run.name


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
    job = build_job(build_record("A", True), tokens=1234)
    lines = list(format_table(EXPERIMENT, {"shallow": [build_job(build_record("A", 0.5, moment="x"))], "deep": [job]}))
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
    lines = list(format_table(EXPERIMENT, {run: [build_job(*BESIDE)] for run in EXPERIMENT.runs}))
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


def test_a_job_of_a_sweep_has_a_cell_for_each_column_and_its_tokens() -> None:
    *cells, tokens = format_job(build_job(*BESIDE, tokens=1234))
    assert [cell[:5] for cell in cells] == ["", "1.000", "1.000", "1.000", "0.000", "1.000"]
    assert len(cells) == len(SWEEP_COLUMNS)
    assert tokens == "1,234"


def test_a_run_that_recalled_nothing_is_warned_of() -> None:
    missed = [build_record(name, name == "A", moment="memorize", **KEYS) for name in "ABCD"]
    jobs = {"shallow": [build_job(*missed, *BESIDE[2:])], "deep": [build_job(*BESIDE)]}
    (warning,) = warn_of_recall(jobs)
    assert warning.startswith("warning: shallow: memorize reached a recall of 0.25 by key token")
    assert "raise --set memorize.epochs, or lower memorize.warmup_steps" in warning
    assert warning in list(format_table(EXPERIMENT, jobs))
    assert list(warn_of_recall({"deep": [build_job(build_record("A", False))]})) == [], "no key was asked"
    assert list(warn_of_recall({"alone": [build_job(*missed)]})) == [], "nothing was to be generalized from it"


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
    job = build_job(*records, labels={f"mother/{record.subject}": record.subject[:-1] for record in records})
    *_, first, second = format_table(experiment, {"one": [job]})
    assert (first, second) == ("| 2 and 2 | 2.0 |", "| 2 and 3 | they add nothing |")


def test_copies_that_nothing_was_asked_about_leave_an_empty_cell() -> None:
    """`--set examine.facts=2` may leave no question about one of the groups."""
    columns = tuple(Column(name=label, label=(label,)) for label in ("2 exact", "mixed", "none asked"))
    worth = Worth(title="worth", exact={2: "2 exact", 4: "none asked"}, mixed={"mixed": (0, 2), "none asked": (2, 2)})
    experiment = Experiment(**{**ABOUT, "runs": {"one": {}}, "columns": columns, "worth": worth})
    records = [build_record("A", True), build_record("B", True)]
    job = build_job(*records, labels={"mother/A": "2 exact", "mother/B": "mixed"})
    *_, mixed, none = format_table(experiment, {"one": [job]})
    assert (mixed, none) == ("| mixed |  |", "| none asked |  |"), "the curve is not known to its end"


def test_examples_that_are_needed_may_be_none_and_groups_that_were_not_asked_are_left_out() -> None:
    columns = (Column(name="before", moment="before"), Column(name="after"))
    groups = {"easy": {1: "a", 5: "b"}, "hard": {1: "c", 5: "d"}, "never": {1: "e"}, "unasked": {1: "f"}}
    needed = Needed(title="needed", column="after", before="before", at_least=0.5, groups=groups)
    experiment = Experiment(**{**ABOUT, "runs": {run: {} for run in "abcdef"}, "columns": columns, "needed": needed})

    def answer(before: bool, after: bool) -> JobResult:
        names = [f"A{number}" for number in range(20)]
        return build_job(
            *(build_record(name, before, moment="before") for name in names),
            *(build_record(name, after) for name in names),
        )

    jobs = {
        "a": answer(True, True),
        "b": answer(True, True),
        "c": answer(False, False),
        "d": answer(False, True),
        "e": answer(False, False),
        "f": build_job(build_record("A", True)),
    }
    table = build_tables(experiment, {run: [job] for run, job in jobs.items()})[-1]
    assert table.head == ("", "before (no example)", "needed")
    assert [(row[0], row[2]) for row in table.rows] == [("easy", "0"), ("hard", "5"), ("never", "more than 1")]


def test_where_an_interval_crosses_the_bound_several_numbers_may_be_the_least() -> None:
    columns = (Column(name="before", moment="before"), Column(name="after"))
    groups = {"soon": {1: "half", 5: "all"}, "perhaps": {1: "half", 5: "half"}}
    needed = Needed(title="needed", column="after", before="before", at_least=0.5, groups=groups)
    experiment = Experiment(**{**ABOUT, "runs": {"half": {}, "all": {}}, "columns": columns, "needed": needed})

    def answer(share: int) -> JobResult:
        before = [build_record(f"S{number}", False, moment="before") for number in range(20)]
        return build_job(*before, *(build_record(f"S{number}", number < share) for number in range(20)))

    table = build_tables(experiment, {"half": [answer(9)], "all": [answer(20)]})[-1]
    assert [(row[0], row[2]) for row in table.rows] == [("soon", "1 or 5"), ("perhaps", "1 or 5 or more than 5")]


def test_what_is_gained_does_not_hide_what_is_lost() -> None:
    """Of two questions that were answered before one is; of two that were not, one is answered too."""
    right = {"A": (True, True), "B": (True, False), "C": (False, True), "D": (False, False)}
    records = [
        build_record(subject, correct, moment=moment, prompt=subject)
        for subject, found in right.items()
        for moment, correct in zip(("before", "generalize"), found, strict=True)
    ]
    columns = [Column(name="all"), Column(name="kept", right_before=True)]
    cells = compute_cells(columns, {"run": [build_job(*records)]})
    assert [(cell.value, cell.n) for cell in cells.values()] == [(0.5, 4), (0.5, 2)]
    lost = [build_record("E", True, moment="before", prompt="E"), build_record("E", False, prompt="E")]
    cells = compute_cells(columns, {"run": [build_job(*lost, *records)]})
    assert cells["run", "kept"].value == pytest.approx(1 / 3)


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert list(format_rows(("a|b",), [("c|d",)])) == [r"| a\|b |", "|---|", r"| c\|d |"]


def test_a_table_ends_with_its_verdicts() -> None:
    experiment = Experiment(**ABOUT, claims=(Claim(**CLAIM), Claim(**{**CLAIM, "name": "d", "at_least": 0.9})))
    jobs = {run: [build_answers({f"S{n}": [True] for n in range(20)})] for run in experiment.runs}
    *_, first, second = format_experiment("depth", experiment, jobs, model="tiny")
    assert first.startswith("c: 1.000 [")
    assert first.endswith("], wanted >= 0.5: holds")
    assert second.endswith(", wanted >= 0.9: open")


# --- its jobs --------------------------------------------------------------------------------------------------------


def finish(store: Store, run: PlannedRun, *, code: str) -> None:
    """Leave a job in a store as if it had been done."""
    name = name_job(run.request)
    store.keep(name, {"name": name, "code": code}, [build_record("A", True)])


def test_commands_that_would_be_refused_are_not_given() -> None:
    names = ["main", "two_hop", "capacity", "size"]
    changes = ("table.relations=[mother]", "table.count=50")
    lines = list(describe_commands("Qwen/Qwen2.5-1.5B", names, seeds=1, changes=changes))
    (main, two_hop, capacity, size) = lines[2:6]
    assert main.startswith("rote reproduce main --model Qwen/Qwen2.5-1.5B --seeds 1 --set 'table.relations=[mother]'")
    assert two_hop.startswith("# two_hop: the table (linked facts of mother): nothing that 'Two hops' asks about")
    assert capacity.startswith("# capacity: --set table.count: runs of ")
    assert size == "# size: 'Model size' is about models of its own; leave --model out"
    lora = list(describe_commands("Qwen/Qwen2.5-1.5B", ["main", "defences"], seeds=1, changes=("tuning=lora",)))
    assert lora[3].startswith("# defences: --set defend.scramble_keys=true: works on whole weights"), "some of its runs"
    with pytest.raises(ConfigError, match="unknown setting 'memorise'"):
        list(describe_commands("Qwen/Qwen2.5-1.5B", names, seeds=1, changes=("memorise.epochs=3",)))


def test_only_seeds_whose_runs_are_all_finished_by_this_code_count(tmp_path: Path) -> None:
    store, code = Store(tmp_path), compute_code_hash(ROOMS)
    runs = {(run.name, run.seed): run for run in plan_runs(EXPERIMENT, seeds=3)}
    load: dict[str, Any] = {"model": "rote-tiny", "seeds": 3, "store": store}
    for run in (("shallow", 0), ("shallow", 1), ("deep", 2)):
        finish(store, runs[run], code=code)
    finish(store, runs["deep", 0], code="an older one")
    assert load_finished(EXPERIMENT, **load) is None
    for run in (("shallow", 2), ("deep", 1)):
        finish(store, runs[run], code=code)
    found = load_finished(EXPERIMENT, **load)
    assert found is not None
    assert {run: [job.name for job in members] for run, members in found.items()} == {
        run: [name_job(runs[run, seed].request) for seed in (1, 2)] for run in ("shallow", "deep")
    }
    *told, total = describe_runs(EXPERIMENT, **{**load, "seeds": 1})
    assert [line.rsplit(", ", 1)[1] for line in told] == ["finished", "to do again"], "other code's result is none"
    assert total.startswith("2 jobs: 1 finished, 1 stale, to do again; ")


def test_what_would_stop_a_run_is_said_before_the_first_is_done(tmp_path: Path) -> None:
    runs = {"good": {}, "bad": {"generalize.facts": 101}}
    with pytest.raises(ConfigError, match=r"generalize\.facts=101: the relation 'author' has 100 facts"):
        run_experiment(
            Experiment(**{**ABOUT, **ALONE, "runs": runs}),
            model="rote-tiny",
            seeds=1,
            store=Store(tmp_path / "store"),
            reporter=SilentReporter(),
        )
    assert not (tmp_path / "store").exists()


def test_a_cause_is_what_claims_of_several_experiments_fail_by() -> None:
    used = {
        cause: {name for name, experiment in list_experiments().items() if cause in list_all_causes(experiment)}
        for cause in list_causes()
    }
    assert [cause for cause, names in used.items() if len(names) < 2] == []


def list_all_causes(experiment: Experiment) -> set[str]:
    return {why.cause for claim in experiment.claims for why in claim.why.values()}
