"""A run as logs of Inspect, read back by Inspect."""

from pathlib import Path

import pytest
from tests.exchange.conftest import SHARES

from rote.errors import RunError
from rote.exchange.inspect_logs import export_inspect
from rote.exchange.questions import identify
from rote.records import load_records
from rote.runs.folder import RunFolder

pytest.importorskip("inspect_ai")


def test_inspect_reads_every_question_and_the_accuracy_of_the_records(run_folder: RunFolder, tmp_path: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log

    paths = export_inspect(run_folder, tmp_path / "logs")
    assert len(paths) == len(SHARES)
    assert len(list_eval_logs(str(tmp_path / "logs"))) == len(SHARES), "by their names"
    for path, moment in zip(paths, SHARES, strict=True):
        records = load_records(run_folder.records(moment))
        log = read_eval_log(str(path))
        assert (log.status, log.eval.task_args["moment"]) == ("success", moment)
        assert log.samples is not None
        assert log.results is not None
        assert len(log.samples) == log.results.total_samples == len(records)
        found = {score.name: score.metrics["accuracy"].value for score in log.results.scores}
        expected: dict[str, list[bool]] = {}
        for record in records:
            name = f"{record.fact_set}_facts_{record.prompt_set}_prompts"
            expected.setdefault(name, []).append(record.correct)
            if record.rank is not None:
                expected.setdefault(f"{name}_choice", []).append(record.rank == 1)
        assert found == {name: pytest.approx(sum(right) / len(right)) for name, right in expected.items()}
        assert "held_out_facts_control_prompts" in found, "it is in no other figure"
        scores = {sample.id: sample.scores or {} for sample in log.samples}
        for record in records:
            name = f"{record.fact_set}_facts_{record.prompt_set}_prompts"
            assert scores[identify(record)][name].value == ("C" if record.correct else "I")


def test_a_sample_holds_what_was_asked_answered_and_taught(run_folder: RunFolder, tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    *_, last = export_inspect(run_folder, tmp_path / "logs")
    samples = {sample.id: sample for sample in read_eval_log(str(last)).samples or ()}
    for record in load_records(run_folder.records("generalize")):
        sample = samples[identify(record)]
        assert sample.epoch == 1
        assert (sample.input, sample.output.completion) == (record.prompt, record.generated)
        assert sample.target == [record.object, record.object.replace("Mia", "M.")], "an alias is a target too"
        assert {key: sample.metadata[key] for key in ("relation", "subject", "fact_set", "prompt_set", "language")} == {
            "relation": record.relation,
            "subject": record.subject,
            "fact_set": record.fact_set,
            "prompt_set": record.prompt_set,
            "language": record.language,
        }


def test_the_standard_error_is_over_facts(run_folder: RunFolder, tmp_path: Path) -> None:
    """Two held-out prompts ask for each of eight facts; the formula is that of clustered standard errors."""
    from inspect_ai.log import read_eval_log

    *_, last = export_inspect(run_folder, tmp_path / "logs")
    log = read_eval_log(str(last))
    assert log.results is not None
    (score,) = [score for score in log.results.scores if score.name == "held_out_facts_held_out_prompts"]
    error = score.metrics["stderr"]
    records = [
        record
        for record in load_records(run_folder.records("generalize"))
        if (record.fact_set, record.prompt_set) == ("held_out", "held_out")
    ]
    mean = sum(record.correct for record in records) / len(records)
    sums: dict[str, float] = {}
    for record in records:
        sums[record.subject] = sums.get(record.subject, 0.0) + record.correct - mean
    expected = (8 / 7 * sum(value**2 for value in sums.values())) ** 0.5 / len(records)
    assert error.value == pytest.approx(expected)
    assert error.params == {"cluster": "fact"}


def test_what_is_there_is_not_written_over(run_folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.txt").write_text("keep")
    with pytest.raises(RunError, match="is there already"):
        export_inspect(run_folder, tmp_path / "logs")
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["notes.txt"]


def test_a_damaged_moment_leaves_nothing(run_folder: RunFolder, tmp_path: Path) -> None:
    run_folder.records("memorize").write_bytes(b"no parquet")
    with pytest.raises(RunError, match="cannot be read as records"):
        export_inspect(run_folder, tmp_path / "logs")
    assert not (tmp_path / "logs").exists()
