"""Logs of other tools, read as one value for each task, metric and question; and what is no such log."""

import json
from pathlib import Path
from typing import Any

import pytest

from rote.errors import RunError
from rote.exchange.sample_logs import load_sample_log, name_tool


def build_line(number: int, **changes: Any) -> dict[str, Any]:
    """A line as lm-eval writes it, of a task of anybody's."""
    line = {
        "doc_id": number,
        "doc": {"question": f"What is {number}?", "topic": f"topic {number % 3}"},
        "target": "1",
        "arguments": {"gen_args_0": {"arg_0": f"What is {number}?", "arg_1": " 1"}},
        "resps": [[["-1.0", "False"]]],
        "filtered_resps": [["-1.0", "False"]],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"hash {number}",
        "prompt_hash": f"prompt {number}",
        "target_hash": "t",
        "acc": float(number % 2),
    }
    return {**line, **changes}


def write_lines(
    place: Path, lines: list[dict[str, Any]], task: str = "sums", date: str = "2026-01-01T00-00-00.1"
) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (place / f"samples_{task}_{date}.jsonl").write_text(text, encoding="utf-8")
    return place


def test_a_folder_of_lm_eval_is_known_by_its_samples(tmp_path: Path) -> None:
    place = write_lines(tmp_path / "out" / "org__model", [build_line(n) for n in range(4)], task="my_sums_v2")
    assert name_tool(place) == name_tool(tmp_path / "out") == "lm-eval"
    for path in (place, tmp_path / "out"):
        log = load_sample_log(path)
        (score,) = log.scores
        assert score == ("my_sums_v2", "acc")
        assert [sample.value for sample in log.scores[score].values()] == [0.0, 1.0, 0.0, 1.0]


def test_each_filter_is_a_metric_and_what_is_no_number_is_skipped(tmp_path: Path) -> None:
    lines = [build_line(n, filter=name) for name in ("strict-match", "flexible-extract") for n in range(3)]
    write_lines(tmp_path, lines, task="math")
    write_lines(
        tmp_path, [build_line(n, metrics=["word_perplexity"], word_perplexity=[-9.1, 3]) for n in range(2)], "wiki"
    )
    log = load_sample_log(tmp_path)
    assert list(log.scores) == [("math", "acc,strict-match"), ("math", "acc,flexible-extract")]
    assert all(len(samples) == 3 for samples in log.scores.values())
    assert log.skipped == (("wiki", "word_perplexity"),)


def test_documents_that_are_alike_are_each_a_question(tmp_path: Path) -> None:
    log = load_sample_log(write_lines(tmp_path, [build_line(n, doc_hash="same") for n in range(5)]))
    assert len(log.scores["sums", "acc"]) == 5


def test_the_newest_samples_of_a_task_count(tmp_path: Path) -> None:
    write_lines(tmp_path, [build_line(0, acc=0.0)], date="2026-01-02T00-00-00.1")
    write_lines(tmp_path, [build_line(0, acc=1.0)], date="2026-01-03T00-00-00.1")
    ((sample,),) = (tuple(samples.values()) for samples in load_sample_log(tmp_path).scores.values())
    assert sample.value == 1.0


def test_clusters_are_documents_facts_or_what_is_asked_for(tmp_path: Path) -> None:
    def count(path: Path, *fields: str) -> int:
        return len({sample.cluster for sample in load_sample_log(path, fields).scores["sums", "acc"].values()})

    plain = write_lines(tmp_path / "plain", [build_line(n) for n in range(6)])
    facts = [build_line(n, doc={"relation": "mother", "subject": f"S{n // 2}"}) for n in range(6)]
    assert count(plain) == 6
    assert count(plain, "topic") == 3
    assert count(plain, "topic", "question") == 6
    assert count(write_lines(tmp_path / "facts", facts)) == 3
    with pytest.raises(RunError, match=r"line 1: its document has no 'colour' \(--cluster\); it has question, topic"):
        count(plain, "colour")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("samples_a_1.jsonl", "{", "samples_a_1.jsonl: cannot be read as samples of lm-eval"),
        ("samples_a_1.jsonl", '{"doc_id": 1}', "samples_a_1.jsonl, line 1: is no sample of lm-eval"),
        ("samples_a_1.jsonl", "[1]", "is no sample of lm-eval"),
        ("results_1.json", "{}", "has no samples of lm-eval (samples_*.jsonl); ask again with lm_eval --log_samples"),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    assert name_tool(tmp_path) == "lm-eval"
    with pytest.raises(RunError) as caught:
        load_sample_log(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_samples_of_several_models_are_not_mixed(tmp_path: Path) -> None:
    for model in ("a", "b"):
        write_lines(tmp_path / model, [build_line(0)])
    with pytest.raises(RunError, match=r"has samples of several models; name one of .*a, .*b"):
        load_sample_log(tmp_path)


def write_inspect(path: Path, scores: list[tuple[str, Any]], cluster: str | None = None) -> Path:
    """A log as Inspect writes it; two questions are about each topic."""
    pytest.importorskip("inspect_ai")
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalMetric,
        EvalResults,
        EvalSample,
        EvalScore,
        EvalSpec,
        write_eval_log,
    )
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Score

    epochs: dict[str, int] = {}
    samples = []
    for number, (name, value) in enumerate(scores):
        epochs[name] = epochs.get(name, 0) + 1
        samples.append(
            EvalSample(
                id=name,
                epoch=epochs[name],
                input=f"question {name}",
                target="x",
                messages=[],
                output=ModelOutput.from_content("m", "x"),
                scores={"match": Score(value=value)},
                metadata={"topic": number // 2},
            )
        )
    error = EvalMetric(name="stderr", value=0.1, params={"cluster": cluster} if cluster else {})
    results = EvalResults(scores=[EvalScore(name="match", scorer="match", metrics={"stderr": error})])
    spec = EvalSpec(
        created="2026-01-01T00:00:00+00:00", task="sums", dataset=EvalDataset(), model="m/m", config=EvalConfig()
    )
    write_eval_log(EvalLog(status="success", eval=spec, results=results, samples=samples), str(path))
    return path


@pytest.mark.parametrize("suffix", ["eval", "json"])
def test_a_log_of_inspect_has_its_letters_as_numbers(tmp_path: Path, suffix: str) -> None:
    scores = [("a", "C"), ("b", "I"), ("c", "P"), ("d", "N"), ("e", 0.25), ("f", True)]
    path = write_inspect(tmp_path / f"log.{suffix}", scores)
    assert name_tool(path) == "Inspect"
    samples = load_sample_log(path).scores["sums", "match"]
    assert {name: sample.value for name, sample in samples.items()} == {
        **{"a": 1.0, "b": 0.0, "c": 0.5, "d": 0.0},
        **{"e": 0.25, "f": 1.0},
    }
    assert len({sample.cluster for sample in samples.values()}) == 6


def test_clusters_are_those_of_the_logs_own_standard_error(tmp_path: Path) -> None:
    path = write_inspect(tmp_path / "log.eval", [(name, "C") for name in "abcdef"], cluster="topic")
    assert len({sample.cluster for sample in load_sample_log(path).scores["sums", "match"].values()}) == 3
    with pytest.raises(RunError, match=r"metadata of sample a has no 'colour' \(--cluster\); it has topic"):
        load_sample_log(path, ("colour",))


def test_epochs_are_averaged_and_words_are_skipped(tmp_path: Path) -> None:
    path = write_inspect(tmp_path / "log.eval", [("a", "C"), ("a", "I"), ("b", "C"), ("b", "C")])
    samples = load_sample_log(path).scores["sums", "match"]
    assert {name: sample.value for name, sample in samples.items()} == {"a": 0.5, "b": 1.0}
    words = load_sample_log(write_inspect(tmp_path / "words.eval", [("a", "C"), ("b", "well said")]))
    assert (dict(words.scores), words.skipped) == ({}, (("sums", "match"),))
    several = load_sample_log(write_inspect(tmp_path / "several.eval", [("a", {"tone": 1, "length": 0.5})]))
    assert list(several.scores) == [("sums", "match/tone"), ("sums", "match/length")]


@pytest.mark.parametrize(
    ("name", "content"),
    [("bad.eval", b"no archive"), ("bad.json", b'{"version": 2, "status": "success", "eval": {')],
)
def test_a_damaged_log_of_inspect_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    pytest.importorskip("inspect_ai")
    (tmp_path / name).write_bytes(content)
    assert name_tool(tmp_path / name) == "Inspect"
    with pytest.raises(RunError) as caught:
        load_sample_log(tmp_path / name)
    assert f"{name}: cannot be read as a log of Inspect" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_log_has_no_tool(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"config": {}, "code": ""}')
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "identity.json").write_text("{}")
    assert [name_tool(tmp_path / name) for name in ("job.json", "run", "none", "none.json")] == [None] * 4
