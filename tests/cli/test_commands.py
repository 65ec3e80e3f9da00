"""What the commands do when all is well."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import SMALL, SMALL_TARGETS, FinishedRun, call_rote, list_tree
from tests.experiments.conftest import write_shape

from rote.cli.tables import build_accuracy_table
from rote.facts.reading import load_table
from rote.pipeline import preview
from rote.records import MOMENTS, load_records


@pytest.mark.parametrize("out", [(), ("--out", "new")], ids=["no out", "out"])
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    workplace: Path, model_folder: Path, out: tuple[str, ...]
) -> None:
    before = list_tree(workplace)
    settings = ("--set", "memorize.epochs=7", "--set", "memorize.batch_size=2", "--set", "generalize.facts=1")
    outcome = call_rote("run", "facts.csv", "--model", model_folder, "--dry-run", *out, *settings)
    assert outcome.code == 0, outcome.err
    lines = {" ".join(line.split()) for line in outcome.out.splitlines()}
    assert any(line.startswith("time: about ") and "memorize" in line for line in lines)
    assert "table: 3 facts of mother (facts.csv)" in lines
    assert "memorize: 7 epochs, 14 steps, learning rate 0.0005" in lines
    assert f"model: {model_folder}" in lines
    assert any(line.startswith("generalize: 1 facts") for line in lines)
    assert any(line.startswith("expect: held-out facts") and "on rote-tiny, the measured" in line for line in lines)
    assert any(line.startswith("out: new" if out else "out: runs/facts-tiny-") for line in lines)
    assert list_tree(workplace) == before


@pytest.mark.parametrize(
    "preset", [(), ("--config", "paper"), ("--config", "update")], ids=["default", "paper", "update"]
)
def test_no_preset_changes_the_learning_rate_that_fits_the_models_size(
    workplace: Path, preset: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model of 1.5 B parameters, known by its shape alone: 1e-5, where 4e-4 would ruin it. It is too large here to
    be timed."""
    monkeypatch.setattr(preview, "measure_memory", lambda: 8 * 10**9)
    write_shape(workplace / "large")
    outcome = call_rote("run", "facts.csv", "--model", "./large", "--dry-run", *preset)
    assert outcome.code == 0, outcome.err
    for phase in ("memorize:", "generalize:"):
        line = next(line for line in outcome.out.splitlines() if line.startswith(phase))
        assert line.endswith("learning rate 1e-05")
    assert "which this machine does not have; nothing was timed" in outcome.out


@pytest.mark.parametrize(("said", "steps"), [((), 100), (("--set", "memorize.epochs=1"), 1)], ids=["open", "said"])
def test_a_small_table_of_updates_takes_as_many_steps_as_a_large_one(
    workplace: Path, model_folder: Path, said: tuple[str, ...], steps: int
) -> None:
    """But where a person says the epochs."""
    outcome = call_rote("run", "facts.csv", "--model", model_folder, "--dry-run", "--config", "update", *said)
    assert outcome.code == 0, outcome.err
    line = next(line for line in outcome.out.splitlines() if line.startswith("memorize:"))
    assert f" {steps} steps," in line


def test_a_dry_run_expects_nothing_of_relations_without_a_pack(workplace: Path, model_folder: Path) -> None:
    (workplace / "t.csv").write_text("subject,relation,object\nAnn Bell,boss,Tom Ford\nKim Lee,boss,Ann Bell\n")
    outcome = call_rote("run", "t.csv", "--model", model_folder, "--dry-run", "--set", "generalize.facts=1")
    assert outcome.code == 0, outcome.err
    line = next(line for line in outcome.out.splitlines() if line.startswith("expect:"))
    assert line.startswith("expect:     no figure is known for boss: rote-tiny was pretrained on the shipped relations")


def test_a_dry_run_of_another_method_expects_nothing(workplace: Path, model_folder: Path) -> None:
    outcome = call_rote("run", "facts.csv", "--model", model_folder, "--dry-run", "--set", "method=fine_tuning")
    assert outcome.code == 0, outcome.err
    assert "expect:" not in outcome.out


def test_a_dry_run_of_an_experiment_lists_its_jobs_and_does_none(workplace: Path, model_folder: Path) -> None:
    before = list_tree(workplace)
    outcome = call_rote("reproduce", "targets", "--model", model_folder, "--seeds", "2", "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    head, *lines, total = outcome.out.splitlines()
    assert head == "targets:"
    assert total.startswith("4 jobs: 4 to do; ")
    assert len({line.split()[0] for line in lines}) == 4, "two runs, two seeds"
    assert [line.split("  ", 1)[1] for line in lines[:2]] == [
        "seed 0  default: memorize_then_generalize, 500 facts, to do",
        "seed 0  one fact (k=1): memorize_then_generalize, 500 facts, to do",
    ]
    assert list_tree(workplace) == before


def test_no_row_pools_languages_without_saying_so() -> None:
    def build_row(prompt_set: str, language: str, mean: float) -> dict[str, object]:
        about = {"moment": "before", "fact_set": "held_out", "measure": "generation_accuracy"}
        return {**about, "prompt_set": prompt_set, "language": language, "mean": mean, "n": 10}

    rows = [("key", "-", 1.0), ("training", "en", 0.9), ("held_out", "en", 0.8), ("held_out", "de", 0.4)]
    table = build_accuracy_table([build_row(*row) for row in rows])
    labels, figures = (list(column.cells) for column in table.columns)
    assert dict(zip(labels, figures, strict=True)) == {
        "key token, all facts": "1.00 (10)",
        "training prompt, held-out facts (en)": "0.90 (10)",
        "held-out prompts, held-out facts (en, de)": "0.60 (20)",
        "  in English alone": "0.80 (10)",
        "  in German alone": "0.40 (10)",
    }


NOT_LEARNED = 3


def test_a_run_that_taught_nothing_says_so_first_and_what_to_try_next(finished_run: FinishedRun) -> None:
    assert finished_run.outcome.code == NOT_LEARNED
    first, cause, following, *_ = finished_run.outcome.out.splitlines()
    assert first.startswith("verdict: not memorized (key token after memorize, all facts 0.00")
    assert cause.split(":")[1].strip() == "too few updates of memorize"
    command, changes = following.split("next:")[1].strip().split(" --set memorize.epochs=")
    assert command.startswith(f"rote run {finished_run.words[1]}")
    assert f"--out {finished_run.folder}-next" in command
    assert int(changes) == 2 * read_epochs(finished_run)
    page = (finished_run.folder / "report.html").read_text(encoding="utf-8")
    assert "Not memorized" in page
    assert "too few updates of memorize" in page


def read_epochs(finished_run: FinishedRun) -> int:
    identity = json.loads((finished_run.folder / "identity.json").read_text(encoding="utf-8"))
    return int(identity["config"]["memorize"]["epochs"])


def test_resuming_nothing_is_a_run(finished_run: FinishedRun) -> None:
    assert finished_run.outcome.code == NOT_LEARNED, finished_run.outcome.err
    summary = json.loads((finished_run.folder / "summary.json").read_text(encoding="utf-8"))
    assert {row["moment"] for row in summary} == set(MOMENTS)
    assert (finished_run.folder / "model" / "config.json").is_file()
    assert (finished_run.folder / "report.html").is_file()
    assert not list(finished_run.folder.rglob("*.draft"))


def test_a_run_ends_with_its_figures_its_times_and_its_places(finished_run: FinishedRun) -> None:
    out, durations = finished_run.outcome.out, json.loads((finished_run.folder / "manifest.json").read_text())
    assert "key token, all facts" in out
    for label, seconds in durations["durations"].items():
        assert f"{seconds:.1f} s" in next(line for line in out.splitlines() if line.strip().startswith(f"{label} "))
    whole = next(line for line in out.splitlines() if line.strip().startswith("in all"))
    assert f" {sum(durations['durations'].values()):.1f} s" in whole
    model, report, ask = out.splitlines()[-3:]
    assert (model, report) == (
        f"model:  {finished_run.folder / 'model'}",
        f"report: {finished_run.folder / 'report.html'}",
    )
    assert call_rote(*shlex.split(ask)[2:]).code == 0, "a command to try"


def test_progress_is_plain_lines_where_there_is_no_terminal(finished_run: FinishedRun) -> None:
    lines = finished_run.outcome.err.splitlines()
    for step in ("memorize", "examine: generalize"):
        assert f"{step} ..." in lines
        assert any(line.startswith(f"{step}: done in ") for line in lines)


def test_resuming_a_finished_run_shows_it_again_and_changes_nothing(finished_run: FinishedRun) -> None:
    before = list_tree(finished_run.folder)
    outcome = call_rote(*finished_run.words, "--resume")
    assert (outcome.code, outcome.out) == (NOT_LEARNED, finished_run.outcome.out)
    assert "is finished already" in outcome.err
    assert list_tree(finished_run.folder) == before


def test_the_report_is_written_again_from_the_records(finished_run: FinishedRun) -> None:
    report = finished_run.folder / "report.html"
    before = list_tree(finished_run.folder)
    report.unlink()
    outcome = call_rote("report", finished_run.folder)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{report}\n", "")
    assert list_tree(finished_run.folder) == before


def test_the_table_kept_in_a_run_is_the_one_that_was_given(finished_run: FinishedRun) -> None:
    given = finished_run.folder.parent / "facts.csv"
    assert load_table(finished_run.folder / "table.jsonl").content_hash == load_table(given).content_hash


def test_the_config_kept_in_a_run_makes_the_same_run(finished_run: FinishedRun, model_folder: Path) -> None:
    _, table, *_ = finished_run.words
    kept = finished_run.folder / "config.yaml"
    words = ("run", table, "--model", model_folder, "--out", finished_run.folder, "--config", kept, "--resume")
    outcome = call_rote(*words)
    assert (outcome.code, outcome.out) == (NOT_LEARNED, finished_run.outcome.out)


def test_a_taught_model_is_examined_by_its_key_tokens_too(finished_run: FinishedRun, workplace: Path) -> None:
    outcome = call_rote("examine", finished_run.folder / "model", "facts.csv", "--out", "records.parquet", *SMALL)
    assert outcome.code == 0
    assert "key token, all facts" in outcome.out
    records = load_records(workplace / "records.parquet")
    assert {record.prompt_set for record in records} >= {"key", "training", "held_out"}


def test_a_model_answers(model_folder: Path) -> None:
    outcome = call_rote("ask", model_folder, "Who is Gene Finley's mother?")
    assert outcome.code == 0
    assert re.fullmatch(
        rf"loaded {re.escape(str(model_folder))}: [\d,]+ parameters, safetensors only, no code of its own\n",
        outcome.err,
    )
    assert outcome.out.endswith("\n")
    assert "Gene Finley" not in outcome.out


def test_invented_facts_are_valid_and_the_same_for_a_seed(workplace: Path) -> None:
    words = ("facts", "invent", "--relation", "mother", "--relation", "genre", "--count", "4", "--seed", "7")
    shown = call_rote(*words)
    assert shown.code == 0
    assert len(list(csv.DictReader(shown.out.splitlines()))) == 8
    written = call_rote(*words, "--out", "invented.csv")
    assert written.out.startswith("invented.csv: 8 facts, hash ")
    assert (workplace / "invented.csv").read_text(encoding="utf-8") == shown.out
    checked = call_rote("facts", "validate", "invented.csv")
    assert checked.code == 0
    assert checked.out.splitlines()[-1] == "invented.csv: facts: 8, warnings: 2; nothing to mend"
    assert "warning: invented.csv: the relation 'genre' has 4 different objects" in checked.out


def test_facts_are_shown_as_they_are_asked_for(workplace: Path) -> None:
    outcome = call_rote("facts", "show", "facts.csv", "--count", "2")
    assert outcome.code == 0
    assert outcome.out.count(" -> ") == 2
    assert "  en: Who is Gene Finley's mother? Cody Ross\n" in outcome.out
    for language in ("de", "es", "zh", "ja"):
        assert f"\n  {language}: " in outcome.out


def test_a_table_of_ones_own_relation_is_asked_for_neutrally_without_a_pack(workplace: Path) -> None:
    (workplace / "t.csv").write_text("subject,relation,object\nGene Finley,pet,Rex\n")
    (workplace / "pet.yaml").write_text('relation: pet\nprompts: {en: {training: ["The pet of {subject} is"]}}\n')
    without = call_rote("facts", "validate", "t.csv")
    assert without.code == 0
    assert "row 2, column 'relation': the relation 'pet' has no pack, so it is asked for neutrally" in without.out
    assert "has no pack" not in call_rote("facts", "validate", "t.csv", "--prompts", "pet.yaml").out
    shown = call_rote("facts", "show", "t.csv")
    assert "en: What is the pet of Gene Finley? Rex" in shown.out
    assert shown.err == "t.csv: the relation 'pet' has no pack and is asked for neutrally (docs/tables.md)\n"
    call_rote("prompts", "new", "pet", "--object-type", "dog")
    beside = call_rote("facts", "show", "t.csv")
    assert beside.err == "t.csv: asked for by the packs in prompts (1)\n"
    assert "has no pack" not in call_rote("facts", "validate", "t.csv").out
    (workplace / "none").mkdir()
    assert "is a folder without packs" in call_rote("facts", "show", "t.csv", "--prompts", "none").err


def test_all_that_is_wrong_is_said_at_once_and_may_be_left_out(workplace: Path, model_folder: Path) -> None:
    rows = (
        "A,mother,Ann Lee",
        "A,mother,Bo Lee",
        "Kim Lee,mother,Kim",
        "C,capitol,Dee",
        "E,mother",
        "F,mother,Gil Ray",
    )
    (workplace / "t.csv").write_text("\n".join(["Name,relation,object,note", *rows]) + "\n")
    named = ("--column", "subject=Name")
    found = call_rote("facts", "validate", "t.csv", *named)
    assert found.code == 2
    assert [line.split(":")[0:3] for line in found.out.splitlines() if line.startswith("error")] == [
        ["error", " t.csv", f" row {row}, column '{column}'"]
        for row, column in ((3, "object"), (4, "object"), (5, "relation"), (6, "object"))
    ]
    assert "row 1: the column 'note' is not read" in found.out
    assert found.err.startswith("rote: t.csv: errors: 4, warnings: 2; mend the rows, or let rote run teach")
    merged = call_rote("facts", "validate", "t.csv", *named, "--merge-repeats")
    assert merged.err.startswith("rote: t.csv: errors: 3")
    dry = ("run", "t.csv", "--model", model_folder, *named, "--merge-repeats", "--dry-run")
    assert call_rote(*dry).code == 2
    left = call_rote(*dry, "--skip-faulty")
    assert left.code == 0, left.err
    assert left.err.startswith("t.csv: 3 rows left out; 'rote facts validate t.csv' (with the same columns) lists")
    wrong = call_rote("facts", "validate", "t.csv", "--column", "subjekt=Name")
    assert (wrong.code, wrong.out) == (2, "")
    assert "--column subjekt=Name: write OURS=THEIRS, OURS one of subject, relation, object" in wrong.err


def test_a_table_that_is_all_shown_is_warned_about(workplace: Path, model_folder: Path) -> None:
    rows = "".join(f"Ann {name},mother,Bea {name}\n" for name in ("Lee", "Poe", "Ray", "Fry"))
    (workplace / "t.csv").write_text(f"subject,relation,object\n{rows}")
    dry = ("run", "t.csv", "--model", model_folder, "--dry-run")
    assert (
        "warning: generalize shows all facts of mother, so none is left to prove that others are answered; "
        "lower --set generalize.facts=2, unless the table is of updates\n"
    ) in call_rote(*dry, "--set", "generalize.facts=4").out
    for settings in ((), ("--set", "generalize.facts=2")):
        outcome = call_rote(*dry, *settings)
        assert "generalize: 2 facts" in outcome.out
        assert "none is left" not in outcome.out


def test_an_invented_table_does_not_take_the_place_of_another(workplace: Path) -> None:
    words = ("facts", "invent", "--relation", "mother", "--count", "2", "--out", "mine.csv")
    assert call_rote(*words).code == call_rote(*words).code == 0
    (workplace / "mine.csv").write_text("subject,relation,object\nAnn Lee,mother,Bea Poe\n")
    again = call_rote(*words)
    assert (again.code, again.err) == (
        2,
        "rote: --out mine.csv: holds another table; name another file, or delete it\n",
    )


def test_prompts_are_written_and_checked(workplace: Path) -> None:
    written = call_rote("prompts", "new", "born_in", "--object-type", "city", "--languages", "en,ja")
    place = "prompts/born_in.yaml"
    assert written.out == f"{place}: read and mend its prompts, then: rote prompts check {place}\n"
    checked = call_rote("prompts", "check", place)
    assert checked.code == 2
    assert call_rote("prompts", "check", "prompts") == checked, "the packs of a folder"
    assert f"error: {place}: ja: control: 'TODO 1 {{subject}}' is still to be written" in checked.out
    assert checked.err.endswith("of the prompts cannot be used as they are; mend them and check again\n")
    again = call_rote("prompts", "new", "born_in")
    assert (again.code, again.err) == (2, f"rote: --out {place}: is there already; name another file, or delete it\n")
    assert call_rote("prompts", "new", "born/in").code == 2
    assert call_rote("prompts", "new", "pet", "--object-type", "a\nb").code == 2
    assert not (workplace / "prompts" / "pet.yaml").exists()
    good = (
        "relation: r\nprompts: {en: {training: ['Who is {subject}?'], held_out: ['{subject} is', 'For {subject}:']}}\n"
    )
    (workplace / "r.yaml").write_text(good)
    fine = call_rote("prompts", "check", "r.yaml")
    assert fine.code == 0
    assert fine.out.endswith("r.yaml: 1 pack, nothing to mend\n")
    (workplace / "empty").mkdir()
    assert "empty: is a folder without packs" in call_rote("prompts", "check", "empty").err


def test_an_experiment_is_reproduced_once(workplace: Path, model_folder: Path) -> None:
    words: tuple[str | Path, ...] = (
        "reproduce",
        "targets",
        "--model",
        model_folder,
        "--seeds",
        "1",
        "--store",
        "store",
        *SMALL_TARGETS,
    )
    first = call_rote(*words)
    assert first.code == 0, first.err
    assert "tiny, 1 seed(s)" in first.out
    assert "| memorize: key |" in first.out
    before = list_tree(workplace)
    again = call_rote(*words)
    assert (again.code, again.out, again.err) == (0, first.out, "")
    assert list_tree(workplace) == before


def test_the_experiments_are_listed() -> None:
    outcome = call_rote("reproduce", "--list")
    assert outcome.code == 0
    assert [line[1] for line in outcome.out.splitlines() if line.startswith("(")] == list("abcdefghijklmnopqrst")
    assert call_rote("reproduce").out == outcome.out


def test_the_commands_for_a_model_are_those_that_were_asked_for() -> None:
    words = ("reproduce", "--list", "--model", "Qwen/Qwen2.5-1.5B", "--set", "table.relations=[mother]", "--seeds", "1")
    _, _, one, results, _ = call_rote(*words, "q").out.splitlines()
    assert one.startswith(
        "rote reproduce order --model Qwen/Qwen2.5-1.5B --seeds 1 --set 'table.relations=[mother]'  #"
    )
    assert results == "rote results --model Qwen/Qwen2.5-1.5B --set 'table.relations=[mother]' --out ."
    every = call_rote(*words).out
    assert "rote reproduce main " in every
    assert "rote reproduce size " not in every, "it is about models of its own"


def test_the_commands_for_a_model_that_is_not_here_say_what_they_take() -> None:
    lines = call_rote("reproduce", "--list", "--model", "Qwen/Qwen2.5-1.5B", "--seeds", "2").out.splitlines()
    assert "1,500 M parameters" in lines[0]
    assert "24.0 GB" in lines[0]
    main = next(line for line in lines if line.startswith("rote reproduce main "))
    assert main.startswith("rote reproduce main --model Qwen/Qwen2.5-1.5B --seeds 2  #")
    other = call_rote("reproduce", "--list", "--model", "Qwen/Qwen2.5-3B", "--seeds", "2").out.splitlines()
    hours, more = (
        float(line.rsplit(" ", 2)[1])
        for found in (lines, other)
        for line in found
        if line.startswith("rote reproduce main ")
    )
    assert more == pytest.approx(2 * hours, rel=0.01)
    outcome = call_rote("reproduce", "--list", "--model", "nobody/knows")
    assert outcome.code == 2
    assert "nor does its name say its size" in outcome.err


def test_a_table_is_validated_without_loading_torch(workplace: Path) -> None:
    code = (
        "import sys; from rote.cli.main import main; sys.argv = ['rote', 'facts', 'validate', 'facts.csv']\n"
        "try: main()\nexcept SystemExit: print({'torch', 'transformers'} & {*sys.modules}, file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "facts.csv: facts: 3" in done.stdout
    assert done.stderr == "set()\n"


def test_the_flags_of_loading_need_a_model(workplace: Path) -> None:
    outcome = call_rote("facts", "validate", "facts.csv", "--revision", "main")
    assert outcome.code == 2
    assert "add --model" in outcome.err
    wrong = call_rote("facts", "validate", "facts.csv", "--set", "nonsense=1")
    assert wrong.code == 2
    assert "unknown setting 'nonsense'" in wrong.err


def test_a_table_of_swaps_does_not_take_the_place_of_another(workplace: Path) -> None:
    before = (workplace / "facts.csv").read_bytes()
    outcome = call_rote("facts", "swap", "--count", "5", "--out", "facts.csv")
    assert outcome.code == 2
    assert "--out facts.csv: holds another table" in outcome.err
    assert (workplace / "facts.csv").read_bytes() == before


@pytest.mark.parametrize("setting", ["side_effects.text", "retain.file"])
def test_a_text_that_is_not_utf8_is_said_at_once(workplace: Path, model_folder: Path, setting: str) -> None:
    (workplace / "latin.txt").write_bytes("Zürich".encode("latin-1"))
    words = ("run", "facts.csv", "--model", model_folder, "--set", f"{setting}=latin.txt", "--dry-run")
    outcome = call_rote(*words)
    assert outcome.code == 2
    assert outcome.err.startswith("rote: latin.txt: cannot be read as UTF-8 text")
    assert outcome.err.count("\n") == 1


def test_a_phase_that_is_all_warm_up_and_a_table_without_facts_are_said(workplace: Path, model_folder: Path) -> None:
    shown = call_rote("run", "facts.csv", "--model", model_folder, "--dry-run", "--set", "memorize.epochs=2")
    assert "warning: memorize has 2 steps, all of them in its warm-up of 20" in shown.out
    (workplace / "none.csv").write_text("subject,relation,object\n")
    outcome = call_rote("facts", "validate", "none.csv")
    assert outcome.code == 2
    assert "none.csv: the table has no facts" in outcome.err


def test_a_run_folder_is_told_from_a_model_folder(finished_run: FinishedRun) -> None:
    outcome = call_rote("ask", finished_run.folder, "Who?")
    assert outcome.code == 2
    assert outcome.err.endswith(
        f"is not a model folder (it has no config.json); give {finished_run.folder / 'model'}\n"
    )


def test_a_wide_sheet_becomes_a_table_that_can_be_checked(workplace: Path) -> None:
    (workplace / "staff.csv").write_text("Employee,Manager,Office\nAnn Bell,Tom Ford,Oslo\nKim Lee,Ann Bell,\n")
    words = ("facts", "from", "staff.csv", "--subject", "Employee", "--columns", "Manager=boss", "--columns", "Office")
    outcome = call_rote(*words, "--out", "sheet.csv")
    assert outcome.code == 0, outcome.err
    assert "  What is the boss of Ann Bell? Tom Ford\n" in outcome.out
    assert "boss: 2 facts with 2 different objects\n" in outcome.out
    assert call_rote("facts", "validate", "sheet.csv").out.endswith("nothing to mend\n")
    missing = call_rote("facts", "from", "staff.csv", "--subject", "Name", "--out", "other.csv")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert not (workplace / "other.csv").exists()
    as_workbook = call_rote(*words, "--out", "sheet.xlsx")
    assert (as_workbook.code, as_workbook.out, as_workbook.err.count("\n")) == (2, "", 1)


def test_env_says_how_threads_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert "threads of torch, waiting as they like\n" in call_rote("env").out
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert "threads of torch, waiting passive\n" in call_rote("env").out


def test_env_says_what_a_bug_report_needs() -> None:
    outcome = call_rote("env")
    assert outcome.code == 0, outcome.err
    lines = dict(line.split(":", 1) for line in outcome.out.splitlines())
    assert {"rote", "python", "torch", "transformers", "system", "processors", "memory", "extras"} <= lines.keys()
    assert lines["torch"].strip() == torch.__version__
