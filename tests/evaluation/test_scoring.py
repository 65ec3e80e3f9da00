from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.encoding.example import Example, encode
from rote.evaluation import scoring
from rote.evaluation.reading import read_prompts
from rote.evaluation.scoring import rank_choice, rank_object, score_choices, score_continuations, score_objects
from rote.facts.text import Text

MOTHERS = ("Cody Ross", "Cody Rossini", "Anna Maria Bell", "Bo", "Zoë O'Neil", "Ида Крылова", "Mei Lin", "Cody")
TEXTS = [
    Text("Who is Gene Finley's mother?", " ", "Cody Ross", "Gene Finley"),
    Text("The mother of Bo is", " ", "Anna Maria Bell", "Bo"),
    Text("谁是 Bo 的妈妈？", " ", "Mei Lin", "Bo"),
    Text("谁是 Bo 的妈妈？", "", "东京", "Bo"),
]


def score_alone(model: PreTrainedModel, example: Example) -> list[float]:
    """The reference: the whole text, without cache, padding or mask."""
    with torch.no_grad():
        logprobs = model(torch.tensor([example.ids])).logits[0].log_softmax(-1)
    return [float(logprobs[at - 1, example.ids[at]]) for at in range(*example.object_span)]


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_objects_in_a_batch_score_as_they_do_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int
) -> None:
    examples = [encode(tokenizer, text) for text in TEXTS]
    scores = score_objects(model, examples, batch_size=batch_size)
    for example, logprobs in zip(examples, scores, strict=True):
        assert len(logprobs) == len(example.object_ids)
        assert logprobs == pytest.approx(score_alone(model, example), abs=1e-4)


def test_a_prefix_that_was_read_once_scores_objects_as_they_do_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    examples = [encode(tokenizer, replace(TEXTS[0], object=name)) for name in MOTHERS]
    objects = [example.object_ids for example in examples]
    with torch.inference_mode():
        prefix = read_prompts(model, [example.prompt_ids for example in examples])
        scores = score_continuations(prefix, objects)
        assert score_continuations(prefix, objects) == scores, "the cache was changed"
    for example, logprobs in zip(examples, scores, strict=True):
        assert logprobs == pytest.approx(score_alone(model, example), abs=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("text", TEXTS[:3], ids=lambda text: text.prompt)
def test_candidates_that_share_the_prompt_score_as_they_do_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: Text, attention: str
) -> None:
    model.set_attn_implementation(attention)
    scores = score_choices(model, tokenizer, text, candidates=MOTHERS)
    for candidate, logprobs in zip(MOTHERS, scores, strict=True):
        alone = score_alone(model, encode(tokenizer, replace(text, object=candidate)))
        assert logprobs == pytest.approx(alone, abs=1e-4)


def test_the_rank_is_that_among_all_candidates_though_few_are_scored(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that is sure most candidates cannot be better; one that is not sure has to score more."""
    scored: list[int] = []
    score = scoring._score_candidates

    def count(model: PreTrainedModel, examples: list[Example]) -> list[scoring.Logprobs]:
        scored.append(len(examples))
        return score(model, examples)

    def rank_all() -> int:
        """Rank every candidate behind every text; how many were scored for it."""
        total = 0
        for text in TEXTS[:3]:
            scores = score_choices(model, tokenizer, text, candidates=MOTHERS)
            with torch.inference_mode():
                first = read_prompts(model, [encode(tokenizer, text).prompt_ids]).logits[0].log_softmax(-1)
            scored.clear()
            for index, own in enumerate(scores):
                found = rank_choice(model, tokenizer, text, candidates=MOTHERS, index=index, own=own, first=first)
                assert found == rank_object(scores, index)
            total += sum(scored)
        return total

    monkeypatch.setattr(scoring, "_score_candidates", count)
    unsure = rank_all()
    model.lm_head.weight.data.mul_(30)
    assert rank_all() < unsure <= 3 * len(MOTHERS) ** 2


def test_a_score_that_is_no_number_has_no_rank_of_its_own(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    nothing = torch.full((model.config.vocab_size,), float("nan"))
    model.lm_head.weight.data.fill_(float("nan"))
    own = (float("nan"),)
    assert rank_choice(model, tokenizer, TEXTS[0], candidates=MOTHERS, index=0, own=own, first=nothing) == len(MOTHERS)


def test_a_choice_takes_one_forward(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    calls: list[int] = []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    score_choices(model, tokenizer, TEXTS[0], candidates=MOTHERS)
    assert len(calls) == 1


def test_a_candidate_that_changes_the_prompts_tokens_is_scored_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode_with_another_prefix(tokens: PreTrainedTokenizerBase, text: Text) -> Example:
        return encode(tokens, replace(text, prompt=f"{text.prompt} Gene") if text.object == "Mei Lin" else text)

    monkeypatch.setattr(scoring, "encode", encode_with_another_prefix)
    scores = score_choices(model, tokenizer, TEXTS[0], candidates=("Cody Ross", "Mei Lin", "Bo"))
    for candidate, logprobs in zip(("Cody Ross", "Mei Lin", "Bo"), scores, strict=True):
        example = encode_with_another_prefix(tokenizer, replace(TEXTS[0], object=candidate))
        assert logprobs == pytest.approx(score_alone(model, example), abs=1e-4)


def test_the_rank_is_by_mean_log_probability_per_token_and_ties_count_against() -> None:
    scores = [(-1.0, -3.0), (-2.0,), (-1.0,), (-9.0, -0.5)]
    assert [rank_object(scores, index) for index in range(4)] == [3, 3, 1, 4]


def test_a_score_that_is_not_a_number_never_wins() -> None:
    assert rank_object([(float("nan"),), (-1.0,), (-2.0,)], 0) == 3
