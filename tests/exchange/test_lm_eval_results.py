"""A run as results of lm-evaluation-harness, beside what lm-eval itself writes of the embedded model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.exchange.conftest import SHARES, build_records

from rote.evaluation.lm_eval_task import TaskItem, write_task
from rote.exchange.lm_eval_results import export_lm_eval
from rote.models.loading import load_model
from rote.records import FactSet, load_records, save_records
from rote.runs.folder import RunFolder

TASK = "rote_mine_generation"
OF_A_LOADED_MODEL = {
    *("tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token", "eot_token_id", "max_length"),
    *("start_time", "end_time"),
}
"""What lm-eval says of the tokenizer and of its own clock."""


def read_lines(place: Path, task: str) -> list[dict[str, Any]]:
    (path,) = place.glob(f"samples_{task}_2*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_results(place: Path) -> dict[str, Any]:
    (path,) = place.glob("results_*.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_every_record_is_a_sample_and_the_figures_are_those_of_the_records(
    run_folder: RunFolder, tmp_path: Path
) -> None:
    places = export_lm_eval(run_folder, tmp_path / "out")
    assert [place.name for place in places] == ["org__tiny", "org__tiny-memorize", "org__tiny-generalize"]
    for place, moment in zip(places, SHARES, strict=True):
        records, results = load_records(run_folder.records(moment)), read_results(place)["results"]
        generation = [name for name in results if "generation" in name]
        assert sum(results[name]["sample_len"] for name in generation) == len(records)
        asked = [record for record in records if record.prompt_set in ("training", "held_out")]
        right = [record.correct for record in asked]
        assert results[TASK]["generation_accuracy,none"] == pytest.approx(sum(right) / len(right))
        assert [line["generation_accuracy"] for line in read_lines(place, TASK)] == right
        chosen = [record.rank == 1 for record in records if record.rank is not None and record.prompt_set != "control"]
        assert results["rote_mine_choice"]["choice_accuracy,none"] == pytest.approx(sum(chosen) / len(chosen))


def test_control_prompts_are_apart_and_low_is_good_there(run_folder: RunFolder, tmp_path: Path) -> None:
    records = [
        replace(record, rank=2, candidates=12) if record.prompt_set == "control" else record
        for record in load_records(run_folder.records("generalize"))
    ]
    save_records(records, run_folder.records("generalize"))
    found = read_results(export_lm_eval(run_folder, tmp_path / "out")[-1])
    for name in ("rote_mine_choice_control", "rote_mine_generation_control"):
        (first, *_) = found["configs"][name]["metric_list"]
        assert first["higher_is_better"] is found["higher_is_better"][name][first["metric"]] is False
    assert found["higher_is_better"][TASK] == {"generation_accuracy": True}
    choice = found["higher_is_better"]["rote_mine_choice"]
    assert choice == {"choice_accuracy": True, "object_rank": False, "object_loglikelihood": True}
    assert found["results"]["rote_mine_choice_control"]["choice_accuracy,none"] == 0
    assert found["results"]["rote_mine_choice_control"]["object_rank,none"] == 2


@pytest.mark.parametrize(("fact_set", "is_high_good"), [("replaced", False), ("unseen", False), ("known", True)])
def test_what_should_not_be_said_is_low_where_it_is_good(
    run_folder: RunFolder, tmp_path: Path, fact_set: FactSet, is_high_good: bool
) -> None:
    records = [replace(record, fact_set=fact_set) for record in load_records(run_folder.records("generalize"))]
    save_records(records, run_folder.records("generalize"))
    found = read_results(export_lm_eval(run_folder, tmp_path / "out")[-1])
    task = f"rote_mine_generation_{fact_set}"
    assert found["higher_is_better"][task] == {"generation_accuracy": is_high_good}
    (metric,) = found["configs"][task]["metric_list"]
    assert metric["higher_is_better"] is is_high_good


def test_the_same_choice_is_the_same_document_whatever_came_of_it(run_folder: RunFolder, tmp_path: Path) -> None:
    first, *_, last = export_lm_eval(run_folder, tmp_path / "out")
    ranks = {moment: [r.rank for r in load_records(run_folder.records(moment)) if r.rank] for moment in SHARES}
    assert ranks["before"] != ranks["generalize"]
    hashes = [[line["doc_hash"] for line in read_lines(place, "rote_mine_choice")] for place in (first, last)]
    assert hashes[0] == hashes[1]


@pytest.fixture(scope="module")
def written_by_lm_eval(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lm-eval leaves of six questions to the embedded model."""
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    place = tmp_path_factory.mktemp("lm_eval")
    (place / "task").mkdir()
    asked = [record for record in build_records("before") if record.prompt_set == "training"][:6]
    note = ("relation", "subject", "fact_set", "prompt_set", "language")
    items = [
        TaskItem(r.prompt, (r.object, r.object.replace("Mia", "M.")), (), (), 0, {key: getattr(r, key) for key in note})
        for r in asked
    ]
    write_task(items, "rote_mine", place / "task")
    language_model, tracker = load_model(), EvaluationTracker(output_path=str(place / "out"))
    found: Any = lm_eval.simple_evaluate(
        model=HFLM(pretrained=language_model.model, tokenizer=language_model.tokenizer, batch_size=6),
        model_args={"pretrained": "rote-tiny"},
        tasks=[TASK],
        task_manager=TaskManager(include_path=str(place / "task"), include_defaults=False),
        gen_kwargs={"max_gen_toks": 4},
        bootstrap_iters=0,
        evaluation_tracker=tracker,
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    tracker.save_results_samples(task_name=TASK, samples=samples[TASK])
    (model,) = (place / "out").iterdir()
    return model


def test_the_layout_is_that_of_lm_eval(written_by_lm_eval: Path, run_folder: RunFolder, tmp_path: Path) -> None:
    ours, theirs = export_lm_eval(run_folder, tmp_path / "out")[0], written_by_lm_eval
    found, expected = read_results(ours), read_results(theirs)
    assert expected.keys() - found.keys() <= OF_A_LOADED_MODEL
    assert found.keys() <= expected.keys()
    for part in ("results", "n-samples", "higher_is_better"):
        assert found[part][TASK].keys() == expected[part][TASK].keys(), part
    assert found["configs"][TASK].keys() <= expected["configs"][TASK].keys()
    line, other = read_lines(ours, TASK)[0], read_lines(theirs, TASK)[0]
    assert list(line) == list(other)
    for key, value in other.items():
        assert type(line[key]) is type(value), key
    assert line["arguments"]["gen_args_0"].keys() == other["arguments"]["gen_args_0"].keys()


def test_a_document_has_the_hashes_that_lm_eval_gives_it(
    written_by_lm_eval: Path, run_folder: RunFolder, tmp_path: Path
) -> None:
    ours = read_lines(export_lm_eval(run_folder, tmp_path / "out")[0], TASK)
    theirs = read_lines(written_by_lm_eval, TASK)
    assert len(theirs) == 6
    for kind in ("doc_hash", "prompt_hash", "target_hash"):
        assert {line[kind] for line in theirs} <= {line[kind] for line in ours}, kind


def test_lm_eval_reads_our_names_and_shows_our_results(run_folder: RunFolder, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    from lm_eval.utils import (
        get_file_datetime,
        get_file_task_name,
        get_results_filenames,
        get_sample_results_filenames,
        make_table,
    )

    place = export_lm_eval(run_folder, tmp_path / "out")[-1]
    names = [str(path) for path in place.iterdir()]
    (results,), samples = get_results_filenames(names), get_sample_results_filenames(names)
    found = read_results(place)
    assert {get_file_task_name(Path(name).name) for name in samples} == found["results"].keys()
    assert {get_file_datetime(name) for name in samples} == {get_file_datetime(results).removesuffix(".json")}
    line = next(line for line in make_table(found).splitlines() if f"|{TASK} " in line)
    accuracy = found["results"][TASK]["generation_accuracy,none"]
    assert f"{accuracy:.4f}" in line
