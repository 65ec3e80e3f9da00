"""Examining and asking a model without teaching it."""

from pathlib import Path

import pytest
from tests.pipeline.conftest import PRETRAINED, RELATIONS, Finished, RecordingReporter, build_config

from rote.errors import EncodingError, ModelError
from rote.evaluation.asking import ask_model
from rote.evaluation.summary import compute_summary
from rote.models.loading import load_model
from rote.pipeline.measures import examine_model
from rote.pipeline.plan import build_plan
from rote.records import load_records
from rote.runs.reporting import SilentReporter


def test_a_taught_model_is_asked_what_its_run_asked(finished: Finished, tmp_path: Path) -> None:
    file = tmp_path / "records.parquet"
    rows = examine_model(
        str(finished.folder.model),
        finished.config,
        reporter=SilentReporter(),
        records_file=file,
    )
    records = load_records(file)
    assert rows == compute_summary(records)
    assert {record.moment for record in records} == {"generalize"}
    assert {record.prompt_set for record in records} == {"key", "training", "held_out", "control"}
    run_records = load_records(finished.folder.records("generalize"))
    for fact_set in ("generalize", "held_out", "unseen"):
        found, expected = (
            {(record.subject, record.prompt): record for record in part if record.fact_set == fact_set}
            for part in (records, run_records)
        )
        assert found
        assert found.keys() == expected.keys()
        for key, record in found.items():
            assert record.generated == expected[key].generated
            assert record.object_logprobs == pytest.approx(expected[key].object_logprobs, abs=1e-4)


def test_the_models_folder_says_which_facts_were_shown(finished: Finished, tmp_path: Path) -> None:
    other = build_config(finished.base, seed=7, generalize={"facts": 3})
    file = tmp_path / "records.parquet"
    examine_model(str(finished.folder.model), other, reporter=SilentReporter(), records_file=file)
    shown = {(fact.relation, fact.subject) for fact in build_plan(finished.config).generalize_facts}
    sets = {(record.relation, record.subject): record.fact_set for record in load_records(file)}
    asked = [(name, fact_set) for name, fact_set in sets.items() if fact_set in ("generalize", "held_out")]
    assert {fact_set for _, fact_set in asked} == {"generalize", "held_out"}
    assert all((fact_set == "generalize") == (name in shown) for name, fact_set in asked)


def test_a_model_that_was_not_taught_is_asked_without_keys(finished: Finished) -> None:
    reporter = RecordingReporter()
    rows = examine_model(str(finished.base), finished.config, reporter=reporter)
    assert {row["moment"] for row in rows} == {"before"}
    assert {row["prompt_set"] for row in rows} == {"training", "held_out", "control"}
    assert {row["fact_set"] for row in rows} == {"held_out", "known", "unseen"}, "nothing was shown to it"
    assert len(reporter.events) > 3


def test_a_model_that_is_none_is_refused(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model folder"):
        examine_model(str(tmp_path), finished.config, reporter=SilentReporter())


def test_a_question_gets_the_models_answer(base: Path) -> None:
    language_model = load_model(str(base))
    template = RELATIONS["capital"].select(prompt_set="training", language="en")[0]
    right = [fact.object in ask_model(language_model, f" {template.fill(fact.subject)}\n") for fact in PRETRAINED]
    assert sum(right) >= len(PRETRAINED) - 2, "it was trained on these"


@pytest.mark.parametrize("question", ["", "  ", "\n\t"])
def test_an_empty_question_is_refused(base: Path, question: str) -> None:
    with pytest.raises(EncodingError, match="the question is empty"):
        ask_model(load_model(str(base)), question)
