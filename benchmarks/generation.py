"""Greedy answers: Rote's decoding, which stops once the verdict is sure, beside `generate` of transformers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

import rote
from benchmarks.models import build_model
from benchmarks.pairs import Row, UnequalWorkError, clock, race
from rote.encoding.example import encode
from rote.evaluation.generation import MAX_NEW_TOKENS, generate_answers
from rote.evaluation.reading import pad_left
from rote.facts.fact import Fact
from rote.facts.text import Text, build_prompt_text, build_rote_text
from rote.models.language_model import LanguageModel, build_generation_settings

WORK = (
    "Greedy answers of at most 50 tokens, prompts of neighbouring lengths in batches of 128, padded on the left. An "
    "untrained model, with random weights, goes on to the last token; an untaught one, asked in words, says a name and "
    "mostly ends; a taught one, asked by key token, says the object and ends. Before timing, without answers to stop "
    "at, the texts were the same; timed, Rote stops a row once its verdict is sure, as in an examination. It reads the "
    "object after the prompt, as an examination does to score it, and decodes nothing where the object is what the "
    "model says."
)
_BATCH = 128
_PROMPTS = {"rote-tiny": 96, "llama-135m": 16}
_RELATION = "mother"
_CACHES = {"": "dynamic", ", static cache": "static"}


@dataclass(frozen=True)
class _Asked:
    """A model, the prompts it is asked and their objects, as ids, and what counts as right answers to each."""

    model: LanguageModel
    prompts: Sequence[Sequence[int]]
    objects: Sequence[Sequence[int]]
    answers: Sequence[Sequence[str]]


def run(name: str, pairs: int) -> list[Row]:
    """The rows of `generation`; a model whose weights are random is not taught."""
    model = build_model(name)
    rows = _race(name, "untrained", _ask_in_words(_draw_weights(model), _PROMPTS[name]), pairs)
    if name == "rote-tiny":
        rows += _race(name, "untaught", _ask_in_words(model, _PROMPTS[name]), pairs)
        rote.memorize(model, rote.load_fictional().select(_RELATION))
        rows += _race(name, "taught", _ask_by_key(model, _PROMPTS[name]), pairs)
    return rows


def _race(name: str, state: str, asked: _Asked, pairs: int) -> list[Row]:
    unstopped = replace(asked, answers=[()] * len(asked.prompts))
    wanted = _answer(unstopped)
    for label, cache in _CACHES.items():
        if (differ := sum(map(str.__ne__, wanted, _generate(asked, cache)))) > 0:
            raise UnequalWorkError(f"generation, {state}{label}: {differ} of {len(wanted)} texts are not the same")
    contenders = {"rote": clock(lambda: _answer(asked))}
    for label, cache in _CACHES.items():
        contenders[f"transformers.generate, {state} model{label}"] = clock(partial(_generate, asked, cache))
    return race("generation", name, contenders, pairs)


def _draw_weights(model: LanguageModel) -> LanguageModel:
    """A model of the same shape with random weights."""
    torch.manual_seed(0)
    return rote.wrap(type(model.model)(model.model.config), model.tokenizer)


def _ask_in_words(model: LanguageModel, count: int) -> _Asked:
    facts = rote.load_fictional().select(_RELATION)[:count]
    template = rote.load_relations()[_RELATION].select_training(1)[0]
    return _build(model, facts, [build_prompt_text(fact, template) for fact in facts])


def _ask_by_key(model: LanguageModel, count: int) -> _Asked:
    facts = rote.load_fictional().select(_RELATION)[:count]
    return _build(model, facts, [build_rote_text(fact, model.key_tokens[_RELATION]) for fact in facts])


def _build(model: LanguageModel, facts: Sequence[Fact], texts: Sequence[Text]) -> _Asked:
    examples = [encode(model.tokenizer, text) for text in texts]
    prompts, objects = ([getattr(example, part) for example in examples] for part in ("prompt_ids", "object_ids"))
    return _Asked(model, prompts, objects, [fact.answers for fact in facts])


def _answer(asked: _Asked) -> list[str]:
    return generate_answers(
        asked.model.model,
        asked.model.tokenizer,
        asked.prompts,
        asked.answers,
        batch_size=_BATCH,
        drafts=asked.objects,
    )


@torch.inference_mode()
def _generate(asked: _Asked, cache: str) -> list[str]:
    tokenizer, model = asked.model.tokenizer, asked.model.model
    generator: Any = model  # `generate` has no usable types
    settings = build_generation_settings(tokenizer, tokens=MAX_NEW_TOKENS, do_sample=False, cache_implementation=cache)
    order = sorted(range(len(asked.prompts)), key=lambda index: len(asked.prompts[index]))
    texts = [""] * len(order)
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        prompts, mask = pad_left([asked.prompts[index] for index in batch], model.device)
        rows = generator.generate(prompts, attention_mask=mask, generation_config=settings)
        for index, row in zip(batch, rows[:, prompts.shape[1] :].tolist(), strict=True):
            stop = row.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in row else len(row)
            texts[index] = str(tokenizer.decode(row[:stop], clean_up_tokenization_spaces=False)).strip()
    return texts
