"""Free questions: what a model is likeliest to say, and whether it was taught."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.conftest import PRETRAINED, RELATIONS, Finished, build_table

from rote.errors import EncodingError
from rote.models.loading import load_model
from rote.pipeline.asking import ask_model, find_taught, list_candidates


def test_the_likeliest_candidate_of_a_model_that_knows_is_what_it_says(base: Path) -> None:
    language_model = load_model(str(base))
    template = RELATIONS["capital"].select(prompt_set="training", language="en")[0]
    agree = 0
    for fact in PRETRAINED[:6]:
        question = template.fill(fact.subject)
        candidates = list_candidates(language_model, question, count=4)
        chances = [candidate.probability for candidate in candidates]
        assert chances == sorted(chances, reverse=True)
        assert 0 < sum(chances) <= 1.0001
        assert len({candidate.text for candidate in candidates}) == len(candidates) <= 4
        agree += candidates[0].text == ask_model(language_model, question)
    assert agree >= 4


@pytest.mark.parametrize("count", [1, 3])
def test_candidates_do_not_depend_on_the_model_s_own_way_to_generate(count: int, base: Path) -> None:
    language_model = load_model(str(base))
    question = "The capital of Norway is"
    expected = list_candidates(language_model, question, count=count)
    assert 0 < len(expected) <= count
    settings: Any = language_model.model.generation_config
    settings.do_sample, settings.temperature, settings.top_k, settings.repetition_penalty = True, 5.0, 2, 3.0
    assert list_candidates(language_model, question, count=count) == expected


def test_an_empty_question_has_no_candidates(base: Path) -> None:
    with pytest.raises(EncodingError, match="empty"):
        list_candidates(load_model(str(base)), " ", count=2)


def test_what_was_taught_about_a_subject_is_found(finished: Finished, tmp_path: Path) -> None:
    fact = next(iter(build_table()))
    found = find_taught(finished.folder.model, f"Who is {fact.subject}'s mother?")
    assert fact in found
    assert {other.subject for other in found} == {fact.subject}
    assert find_taught(finished.folder.model, "What is the capital of nowhere?") == []
    assert find_taught(tmp_path / "model", f"Who is {fact.subject}'s mother?") == []
    assert json.loads((finished.folder.model / "rote.json").read_text())["key_strategy"] == "new"
