"""The evaluators: a model and questions go in, records come out (paper, section 4)."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.encoding.example import Example, encode
from rote.evaluation.generation import continue_prompts, generate_answers
from rote.evaluation.questions import Question
from rote.evaluation.reading import plan_reading, read_prompts
from rote.evaluation.scoring import Logprobs, rank_choice, read_ahead
from rote.facts.fact import Fact
from rote.facts.names import contains_answer
from rote.facts.relation import PromptTemplate, Relation
from rote.facts.text import build_prompt_text, build_rote_text
from rote.models.language_model import LanguageModel
from rote.records import Moment, Record

_SLACK = 2
"""Tokens beyond the longest object that recall by key token waits for."""

_PROOFS = 2
"""Training prompts that have to be answered before a fact counts as known."""
_KNOWN_TOKENS = 16
"""Within how many tokens."""

Progress = Callable[[int, int], None]
"""Told of work done and of all work."""


class Examined(Protocol):
    """What can be examined: a `LanguageModel`, or any model with its tokenizer, in any precision."""

    @property
    def model(self) -> PreTrainedModel:
        """A causal language model."""

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer, a fast one."""


@dataclass(frozen=True, slots=True)
class _Reply:
    """What the model said, the log-probabilities of the object, and where the question is a choice those of the token
    after the prompt, [vocabulary], and then the object's rank."""

    generated: str
    logprobs: Logprobs
    first: Tensor | None = None
    rank: int | None = None


def examine(
    language_model: Examined,
    questions: Sequence[Question],
    *,
    moment: Moment,
    batch_size: int,
    on_progress: Progress | None = None,
) -> list[Record]:
    """Put every question to the model; one record each, in the order of the questions.

    `on_progress(done, total)` counts questions, those that are a choice twice. Raises `EncodingError` for a prompt
    whose object begins inside a token.
    """
    model, tokenizer = language_model.model, language_model.tokenizer
    examples = [encode(tokenizer, question.text) for question in questions]
    choices = [index for index, question in enumerate(questions) if question.candidates is not None]
    report = _count_up(len(questions) + len(choices), on_progress)
    replies: dict[int, _Reply] = {}
    with _examining(model):
        for batch in plan_reading(model, [example.prompt_ids for example in examples], batch_size):
            asked = _ask(model, tokenizer, [questions[index] for index in batch], [examples[index] for index in batch])
            replies.update(zip(batch, asked, strict=True))
            report(len(batch))
        for index in choices:
            replies[index] = _ask_as_choice(model, tokenizer, questions[index], replies[index])
            report(1)
    found = [(question, replies[index]) for index, question in enumerate(questions)]
    return [build_record(question, moment, reply.generated, reply.logprobs, reply.rank) for question, reply in found]


def recall_by_key(language_model: LanguageModel, facts: Sequence[Fact], *, batch_size: int) -> float:
    """The share of facts whose object the model says after `subject [X]`: how much is memorized (paper, section 3).

    Facts of a relation without a key token are left out; 0 where no fact is left.
    """
    model, tokenizer, key_tokens = language_model.model, language_model.tokenizer, language_model.key_tokens
    asked = [fact for fact in facts if fact.relation in key_tokens]
    examples = [encode(tokenizer, build_rote_text(fact, key_tokens[fact.relation])) for fact in asked]
    answers = [fact.answers for fact in asked]
    longest = max((len(example.object_ids) for example in examples), default=1)
    with _examining(model):
        texts = generate_answers(
            model,
            tokenizer,
            [example.prompt_ids for example in examples],
            answers,
            batch_size=batch_size,
            max_new_tokens=longest + _SLACK,  # by rote the object comes at once: this is asked after every epoch
            drafts=[example.object_ids for example in examples],
        )
    return sum(map(contains_answer, texts, answers)) / max(1, len(asked))


def find_known(
    language_model: LanguageModel,
    candidates: Sequence[Fact],
    relations: Mapping[str, Relation],
    *,
    count: int,
    batch_size: int,
) -> list[Fact]:
    """The first `count` (0 means all) of the candidates that the model knows: it soon answers two training prompts.

    It is asked twice, since one right answer may be a guess, and only in training prompts, so that nothing is chosen by
    the prompts it is measured with. Where a relation has one training prompt, that one has to do.
    """
    known: list[Fact] = []
    step = count or len(candidates)
    for start in range(0, len(candidates), step or 1):
        asked = candidates[start : start + step]
        for number in range(_PROOFS):  # the next prompt is for those alone that answered the one before
            asked = _keep_answered(language_model, asked, relations, number, batch_size=batch_size)
        known += asked
        if count and len(known) >= count:
            break
    return known[: count or None]


def _keep_answered(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    relations: Mapping[str, Relation],
    number: int,
    *,
    batch_size: int,
) -> list[Fact]:
    """The facts whose training prompt of that number is answered rightly, and those of relations without one."""
    templates = {fact: relations[fact.relation].select_training(number + 1)[number:] for fact in facts}
    pairs = [(fact, template[0]) for fact, template in templates.items() if template]
    right = _answer_rightly(language_model, pairs, batch_size)
    wrong = {fact for (fact, _), is_right in zip(pairs, right, strict=True) if not is_right}
    return [fact for fact in facts if fact not in wrong]


def _answer_rightly(
    language_model: LanguageModel, pairs: Sequence[tuple[Fact, PromptTemplate]], batch_size: int
) -> list[bool]:
    """Whether each is answered within a few tokens: a model that knows says it soon, one that does not may go on."""
    model, tokenizer = language_model.model, language_model.tokenizer
    prompts = [encode(tokenizer, build_prompt_text(fact, template)).prompt_ids for fact, template in pairs]
    answers = [fact.answers for fact, _ in pairs]
    with _examining(model):
        said = generate_answers(model, tokenizer, prompts, answers, batch_size=batch_size, max_new_tokens=_KNOWN_TOKENS)
    return list(map(contains_answer, said, answers))


@contextmanager
def _examining(model: PreTrainedModel) -> Iterator[None]:
    """Evaluation mode without gradients, for the time of the block; the mode of each module comes back."""
    modes = {module: module.training for module in model.modules()}  # a frozen part may be in another than the rest
    model.train(False)
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _count_up(total: int, on_progress: Progress | None) -> Callable[[int], None]:
    """A function that is told how much more was done and passes on how much that makes."""
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        if on_progress:
            on_progress(done, total)

    return report


def _ask(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Question],
    examples: Sequence[Example],
) -> list[_Reply]:
    """Each prompt is read once for both measures."""
    prefix = read_prompts(model, [example.prompt_ids for example in examples])
    ahead = read_ahead(prefix, [example.object_ids for example in examples])
    first = [
        None if question.candidates is None else logits.float().log_softmax(-1).cpu()
        for question, logits in zip(questions, prefix.logits, strict=True)
    ]
    answers = [question.fact.answers for question in questions]
    said = continue_prompts(tokenizer, prefix, answers, begun=[row.said for row in ahead])
    return list(map(_Reply, said, [row.logprobs for row in ahead], first))


def _ask_as_choice(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, question: Question, reply: _Reply
) -> _Reply:
    """The reply with the object's rank."""
    candidates = question.candidates or (question.fact.object,)
    assert reply.first is not None
    rank = rank_choice(
        model,
        tokenizer,
        question.text,
        candidates=candidates,
        index=candidates.index(question.fact.object),
        own=reply.logprobs,
        first=reply.first,
    )
    return _Reply(reply.generated, reply.logprobs, rank=rank)


def build_record(
    question: Question, moment: Moment, generated: str, logprobs: Logprobs | None, rank: int | None = None
) -> Record:
    """The record of what a model said; a served one tells no log-probabilities of the object, and knows no choice."""
    fact, is_choice = question.fact, logprobs is not None and question.candidates is not None
    return Record(
        moment=moment,
        fact_set=question.fact_set,
        prompt_set=question.prompt_set,
        language=question.language,
        relation=fact.relation,
        subject=fact.subject,
        object=fact.object,
        prompt=question.text.prompt,
        generated=generated,
        correct=contains_answer(generated, fact.answers),
        object_logprobs=logprobs or (),
        object_probability=None if logprobs is None else math.exp(math.fsum(logprobs)),
        rank=rank,
        candidates=len(question.candidates or ()) if is_choice else None,
    )
