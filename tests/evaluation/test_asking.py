"""Free questions: what a model is likeliest to say, and whether it was taught."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.errors import EncodingError
from rote.evaluation.asking import ask_model, find_taught, list_candidates, score_candidates
from rote.facts.invent import invent_table
from rote.facts.reading import save_table
from rote.facts.relation import load_shipped_relations
from rote.models.language_model import LanguageModel
from rote.runs.folder import RunFolder, write_json

QUESTION = "The mother of Bo is"


@pytest.fixture
def language_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> LanguageModel:
    return LanguageModel(model, tokenizer, "tiny")


@pytest.fixture
def other(language_model: LanguageModel) -> LanguageModel:
    """The same model with other weights in its last layer."""
    changed = copy.deepcopy(language_model.model)
    torch.manual_seed(1)
    torch.nn.init.normal_(changed.get_output_embeddings().weight, std=0.5)
    return LanguageModel(changed, language_model.tokenizer, "other")


def compute_probability(language_model: LanguageModel, candidate: str) -> float:
    """The product over the candidate's tokens, from the logits of one plain forward."""
    tokenizer = language_model.tokenizer
    before = tokenizer(QUESTION)["input_ids"]
    ids = tokenizer(QUESTION + candidate)["input_ids"]
    assert ids[: len(before)] == before
    with torch.no_grad():
        logprobs = language_model.model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
    return math.exp(sum(float(logprobs[place - 1, ids[place]]) for place in range(len(before), len(ids))))


@pytest.mark.parametrize("count", [1, 4])
def test_a_probability_is_that_of_the_candidate_s_tokens_after_the_question(
    count: int, language_model: LanguageModel
) -> None:
    candidates = list_candidates(language_model, QUESTION, count=count)
    assert 0 < len({text.strip() for text in candidates}) == len(candidates) <= count
    scored = {
        candidate.text: candidate.probability for candidate in score_candidates(language_model, QUESTION, candidates)
    }
    assert list(scored.values()) == sorted(scored.values(), reverse=True)
    assert scored == {
        text.strip(): pytest.approx(compute_probability(language_model, text), rel=1e-4) for text in candidates
    }


def test_a_model_that_goes_on_talking_is_given_no_less(language_model: LanguageModel) -> None:
    """The search sees a few of the texts that begin with a candidate; all of them count."""
    (short,) = score_candidates(language_model, QUESTION, [" Mei"])
    longer = score_candidates(language_model, QUESTION, [f" Mei {name}" for name in ("Lin", "Bell", "Ross")])
    assert short.probability > sum(candidate.probability for candidate in longer)


def test_two_models_are_asked_about_the_same_candidates(language_model: LanguageModel, other: LanguageModel) -> None:
    lists = [list_candidates(one, QUESTION, count=2) for one in (language_model, other)]
    assert lists[0] != lists[1]
    first, second = (score_candidates(one, QUESTION, [*lists[0], *lists[1]]) for one in (language_model, other))
    assert {candidate.text for candidate in first} == {candidate.text for candidate in second}
    assert {candidate.probability for candidate in first}.isdisjoint(candidate.probability for candidate in second)


def test_spellings_that_differ_in_the_space_before_them_are_one_candidate(language_model: LanguageModel) -> None:
    (found,) = score_candidates(language_model, QUESTION, [" Bo", "  Bo", " Bo"])
    expected = compute_probability(language_model, " Bo") + compute_probability(language_model, "  Bo")
    assert found.text == "Bo"
    assert found.probability == pytest.approx(expected, rel=1e-4)


def test_saying_nothing_is_as_probable_as_the_end_of_the_text(language_model: LanguageModel) -> None:
    ids = language_model.tokenizer(QUESTION)["input_ids"]
    with torch.no_grad():
        chances = language_model.model(torch.tensor([ids])).logits[0, -1].softmax(dim=-1)
    (found,) = score_candidates(language_model, QUESTION, [""])
    assert found.probability == pytest.approx(float(chances[language_model.tokenizer.eos_token_id]), rel=1e-4)


@pytest.mark.parametrize("count", [1, 3])
def test_candidates_do_not_depend_on_the_model_s_own_way_to_generate(count: int, language_model: LanguageModel) -> None:
    expected = list_candidates(language_model, QUESTION, count=count)
    settings: Any = language_model.model.generation_config
    settings.do_sample, settings.temperature, settings.top_k, settings.repetition_penalty = True, 5.0, 2, 3.0
    assert list_candidates(language_model, QUESTION, count=count) == expected


def test_an_empty_question_has_no_answer(language_model: LanguageModel) -> None:
    with pytest.raises(EncodingError, match="empty"):
        ask_model(language_model, " ")
    with pytest.raises(EncodingError, match="empty"):
        list_candidates(language_model, " ", count=2)


def test_what_was_taught_about_a_subject_is_found(tmp_path: Path) -> None:
    table = invent_table([load_shipped_relations()["mother"]], count=4, seed=3)
    folder = RunFolder(tmp_path)
    write_json(folder.identity, {})
    save_table(table, folder.table)
    fact = table.facts[0]
    assert find_taught(folder.model, f"Who is {fact.subject}'s mother?") == [fact]
    assert find_taught(folder.model, "What is the capital of nowhere?") == []
    assert find_taught(tmp_path / "none" / "model", f"Who is {fact.subject}'s mother?") == []
    write_json(folder.manifest, {})
    folder.identity.unlink()
    assert find_taught(folder.model, f"Who is {fact.subject}'s mother?") == [fact], "a lost file changes no answer"
    folder.manifest.unlink()
    assert find_taught(folder.model, f"Who is {fact.subject}'s mother?") == [], "any folder may hold a table"
