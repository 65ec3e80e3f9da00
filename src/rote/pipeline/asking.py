"""One free question to a model, or to a taught model and its base."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rote.encoding.example import encode_prompt
from rote.errors import EncodingError
from rote.evaluation.generation import generate_answers
from rote.evaluation.knowledge import cut_answer
from rote.facts.fact import Fact
from rote.facts.reading import load_table
from rote.models.language_model import LanguageModel, build_generation_settings
from rote.runs.folder import RunFolder

_MAX_NEW_TOKENS = 16
"""Tokens of a candidate."""


@dataclass(frozen=True)
class Candidate:
    """Something a model may say, up to the end of its sentence, and the probability that it says just that."""

    text: str
    probability: float


def ask_model(language_model: LanguageModel, question: str) -> str:
    """What the model says after a question, greedily, without the question. Raises `EncodingError` for an empty one."""
    ids = _encode(language_model, question)
    answers = generate_answers(language_model.model, language_model.tokenizer, [ids], [()], batch_size=1)
    return answers[0].strip()


@torch.inference_mode()
def list_candidates(language_model: LanguageModel, question: str, *, count: int) -> list[Candidate]:
    """What the model is likeliest to say, by a search with so many beams; the likeliest first.

    Continuations with the same first sentence are one, with their probabilities added up. Raises `EncodingError` as
    above.
    """
    ids, tokenizer = _encode(language_model, question), language_model.tokenizer
    prompt = torch.tensor([ids], device=language_model.device)
    beams = max(2, count)
    settings = build_generation_settings(
        tokenizer,
        tokens=_MAX_NEW_TOKENS,
        do_sample=False,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=0.0,  # scores are sums of log-probabilities
        output_scores=True,
        return_dict_in_generate=True,
    )
    model: Any = language_model.model  # `generate` has no usable types
    found = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=settings)
    texts = tokenizer.batch_decode(found.sequences[:, len(ids) :], skip_special_tokens=True)
    chances: dict[str, float] = {}
    for text, score in zip(texts, found.sequences_scores.tolist(), strict=True):
        said = cut_answer(text)
        chances[said] = chances.get(said, 0.0) + math.exp(score)
    likeliest = sorted(chances, key=lambda text: -chances[text])[:count]
    return [Candidate(text, chances[text]) for text in likeliest]


def find_taught(model_folder: Path, question: str) -> list[Fact]:
    """The facts about the question's subject that the run taught whose model this is; none where that is not known."""
    folder = RunFolder(model_folder.parent)
    if not folder.identity.is_file() or not folder.table.is_file():
        return []
    facts = [fact for fact in load_table(folder.table) if fact.subject in question]
    longest = max((len(fact.subject) for fact in facts), default=0)
    return [fact for fact in facts if len(fact.subject) == longest]


def _encode(language_model: LanguageModel, question: str) -> list[int]:
    if not question.strip():
        raise EncodingError("the question is empty")
    return encode_prompt(language_model.tokenizer, question.strip())
