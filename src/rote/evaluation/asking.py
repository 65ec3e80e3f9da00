"""One free question to a model, or to a taught model and its base."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rote.encoding.example import encode_prompt, put_in_chat
from rote.errors import EncodingError
from rote.evaluation.generation import generate_answers, stream_continuation
from rote.evaluation.knowledge import cut_answer
from rote.evaluation.reading import read_prompts
from rote.evaluation.scoring import score_continuations
from rote.facts.fact import Fact
from rote.facts.reading import load_table
from rote.models.language_model import LanguageModel, build_generation_settings
from rote.runs.folder import RunFolder

_MAX_NEW_TOKENS = 16
"""Tokens of a candidate."""


@dataclass(frozen=True)
class Candidate:
    """Something a model may say, and the probability that what it says begins so.

    That is the probability of the candidate's tokens after the question, as if they were given one by one; what would
    follow does not matter. For an empty candidate it is the probability that the text ends at once.
    """

    text: str
    probability: float


def ask_model(language_model: LanguageModel, question: str, *, chat: bool = False) -> str:
    """What the model says after a question, greedily, without the question; with `chat` it is put as a message in the
    chat template. Raises `EncodingError` for an empty one."""
    ids = encode_question(language_model, question, chat=chat)
    answers = generate_answers(language_model.model, language_model.tokenizer, [ids], [()], batch_size=1)
    return answers[0].strip()


@torch.inference_mode()
def stream_answer(language_model: LanguageModel, question: str, *, chat: bool = False) -> Iterator[str]:
    """What `ask_model` says, as it grows: all of the text so far after each token. With `chat` the question is put as
    a message in the chat template. Raises `EncodingError` for an empty question."""
    prefix = read_prompts(language_model.model, [encode_question(language_model, question, chat=chat)])
    yield from stream_continuation(language_model.tokenizer, prefix)


@torch.inference_mode()
def list_candidates(
    language_model: LanguageModel, question: str, *, count: int, chat: bool = False, seconds: float | None = None
) -> list[str]:
    """What the model is likeliest to say, up to the end of the sentence, by a search with so many beams that ends
    after so many seconds.

    The likeliest come first; each begins with the space (or line break) that the model puts before it. Raises
    `EncodingError` for an empty question.
    """
    ids, tokenizer = encode_question(language_model, question, chat=chat), language_model.tokenizer
    prompt = torch.tensor([ids], device=language_model.device)
    beams = max(2, count)
    settings = build_generation_settings(
        tokenizer,
        tokens=_MAX_NEW_TOKENS,
        do_sample=False,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=0.0,  # scores are sums of log-probabilities
        return_dict_in_generate=True,
        max_time=seconds,
    )
    model: Any = language_model.model  # `generate` has no usable types
    found = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=settings)
    begun = len(_decode(language_model, ids))  # some tokenizers drop the first space of what is decoded alone
    said = [_cut(_decode(language_model, row)[begun:]) for row in found.sequences.tolist()]
    first: dict[str, str] = {}
    for text in said:
        first.setdefault(text.strip(), text)
    return list(first.values())[:count]


@torch.inference_mode()
def score_candidates(
    language_model: LanguageModel, question: str, candidates: Sequence[str], *, chat: bool = False
) -> list[Candidate]:
    """How probable each candidate is after the question, the most probable first.

    Candidates that differ only in the space before them are one, with their probabilities added up. Raises
    `EncodingError` for an empty question.
    """
    ids = encode_question(language_model, question, chat=chat)
    asked = _write(language_model, question, chat)
    objects = [_continue(language_model, asked, candidate, chat) for candidate in dict.fromkeys(candidates)]
    chances: dict[str, float] = {}
    if objects:
        prefix = read_prompts(language_model.model, [ids] * len(objects))
        scores = score_continuations(prefix, objects)
        for candidate, logprobs in zip(dict.fromkeys(candidates), scores, strict=True):
            text = candidate.strip()
            chances[text] = chances.get(text, 0.0) + math.exp(math.fsum(logprobs))
    return [Candidate(text, chances[text]) for text in sorted(chances, key=lambda text: -chances[text])]


def rank_candidates(language_model: LanguageModel, question: str, *, count: int) -> list[Candidate]:
    """A model's own likeliest answers, at most `count` of them, and how probable it is that an answer begins so."""
    candidates = list_candidates(language_model, question, count=count) if count else []
    return score_candidates(language_model, question, candidates)


def find_taught(model_folder: Path, question: str) -> list[Fact]:
    """The facts about the question's subject that the run taught whose model this is; none where that is not known."""
    folder = RunFolder(model_folder.parent)
    is_run = any(file.is_file() for file in (folder.identity, folder.manifest, folder.sums))  # one may be lost
    if not is_run or not folder.table.is_file():
        return []
    facts = [fact for fact in load_table(folder.table) if fact.subject in question]
    longest = max((len(fact.subject) for fact in facts), default=0)
    return [fact for fact in facts if len(fact.subject) == longest]


def encode_question(language_model: LanguageModel, question: str, *, chat: bool = False) -> list[int]:
    """The ids a model reads for a question. Raises `EncodingError` for an empty one."""
    return encode_prompt(language_model.tokenizer, _write(language_model, question, chat), in_chat=chat)


def _write(language_model: LanguageModel, question: str, chat: bool) -> str:
    """The text that the model goes on from."""
    question = question.strip()
    if not question:
        raise EncodingError("the question is empty")
    return put_in_chat(language_model.tokenizer, question, language_model.source) if chat else question


def _continue(language_model: LanguageModel, text: str, candidate: str, chat: bool) -> list[int]:
    """The candidate's ids after the text; for an empty one the end of the text."""
    tokenizer = language_model.tokenizer
    if not candidate.strip():
        return [int(tokenizer.eos_token_id)]
    ids, whole = (encode_prompt(tokenizer, written, in_chat=chat) for written in (text, f"{text}{candidate}"))
    if whole[: len(ids)] == ids:
        return whole[len(ids) :]
    # It goes on within the last word of the question: the question was read as it is, so its tokens stay as they are.
    alone: list[int] = tokenizer(candidate, add_special_tokens=False)["input_ids"]
    return alone


def _decode(language_model: LanguageModel, ids: Sequence[int]) -> str:
    tokenizer = language_model.tokenizer
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _cut(text: str) -> str:
    """A text up to the end of its first sentence, with the space before it."""
    return text[: len(text) - len(text.lstrip())] + cut_answer(text)
