"""Answers drawn at random, and how well a text is foreseen."""

import math

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.evaluation.generation import sample_answers
from rote.evaluation.scoring import score_passages


def test_answers_are_as_many_as_asked_for_and_a_function_of_the_seed(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    prompts = [tokenizer(text)["input_ids"] for text in ("Gene Finley", "Bo", "Mei Lin is")]

    def draw(seed: int) -> list[list[str]]:
        return sample_answers(model, tokenizer, prompts, count=5, tokens=6, seed=seed)

    first = draw(0)
    torch.manual_seed(99)
    assert draw(0) == first
    assert draw(1) != first
    assert [len(answers) for answers in first] == [5, 5, 5]
    assert len(set(first[0])) > 1, "drawn, not repeated"
    assert sample_answers(model, tokenizer, prompts, count=0, tokens=6, seed=0) == [[], [], []]
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    draw(0)
    assert torch.equal(torch.rand(2), expected), "the caller's generator is left alone"


def test_a_passage_costs_what_its_tokens_cost(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    text = "The mother of Bo is Mei Lin."
    ids = tokenizer(text)["input_ids"]
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
    expected = -sum(float(logprobs[place, ids[place + 1]]) for place in range(len(ids) - 1)) / (len(ids) - 1)
    assert score_passages(model, tokenizer, [text, "", "  "]) == [pytest.approx(expected, abs=1e-5)]
    long = " ".join([text] * 60)
    passages = score_passages(model, tokenizer, [long])
    assert len(passages) == math.ceil(len(tokenizer(long)["input_ids"]) / 256) > 1


def test_drawing_answers_leaves_the_callers_random_numbers_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sample_answers(model, tokenizer, [tokenizer("Gene Finley")["input_ids"]], count=2, tokens=3, seed=1)
    assert torch.equal(torch.rand(3), expected)
