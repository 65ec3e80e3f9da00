"""Choices among a hundred candidates: the rank of the object, beside lm-evaluation-harness."""

from collections.abc import Sequence

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

import rote
from benchmarks.models import build_model
from benchmarks.pairs import Row, UnequalWorkError, check_close, clock, race
from rote.encoding.example import encode
from rote.evaluation.questions import Question
from rote.evaluation.reading import read_prompts
from rote.evaluation.scoring import rank_choice, rank_object, score_choices, score_continuations
from rote.models.language_model import LanguageModel

WORK = (
    "Questions with 100 candidates each, the object among them, and the object's rank; before timing, the ranks were "
    "the same and the log-probability of every candidate agreed to 1e-4. Of an untaught model nearly all candidates "
    "are scored; one that memorized the facts, asked by key token, is sure, and Rote scores those alone that may be "
    "better. lm-eval had a batch size of 128."
)
_RELATION = "mother"
_QUESTIONS = {"rote-tiny": 12, "llama-135m": 2}


def run(name: str, pairs: int) -> list[Row]:
    """The rows of `choice`; a model whose weights are random is not taught."""
    model = build_model(name)
    questions = [question for question in _build_questions(model) if question.prompt_set != "key"]
    rows = _race(name, "untaught", model, questions[: _QUESTIONS[name]], pairs)
    if name == "rote-tiny":
        rote.memorize(model, rote.load_fictional().select(_RELATION))
        questions = [question for question in _build_questions(model) if question.prompt_set == "key"]
        rows += _race(name, "taught", model, questions[: _QUESTIONS[name]], pairs)
    return rows


def _race(name: str, state: str, model: LanguageModel, questions: Sequence[Question], pairs: int) -> list[Row]:
    harness = HFLM(pretrained=model.model, tokenizer=model.tokenizer, batch_size=128)
    _check(model, questions, _score_theirs(harness, questions))
    contenders = {
        "rote": clock(lambda: _rank_ours(model, questions)),
        f"lm-eval, {state} model": clock(lambda: _score_theirs(harness, questions)),
    }
    return race("choice", name, contenders, pairs)


def _build_questions(model: LanguageModel) -> list[Question]:
    facts = rote.load_fictional().select(_RELATION)
    plan = rote.QuestionPlan(key_tokens=model.key_tokens, choices=10_000)
    return rote.build_questions({"held_out": facts}, rote.load_relations(), plan=plan)


@torch.inference_mode()
def _rank_ours(model: LanguageModel, questions: Sequence[Question]) -> list[int]:
    """The rank of every object, as an examination finds it: prompts and objects in a batch, then what may be better."""
    examples = [encode(model.tokenizer, question.text) for question in questions]
    prefix = read_prompts(model.model, [example.prompt_ids for example in examples])
    own = score_continuations(prefix, [example.object_ids for example in examples])
    return [
        rank_choice(
            model.model,
            model.tokenizer,
            question.text,
            candidates=question.candidates or (),
            index=(question.candidates or ()).index(question.fact.object),
            own=logprobs,
            first=first,
        )
        for question, logprobs, first in zip(questions, own, prefix.logits.log_softmax(-1), strict=True)
    ]


def _score_theirs(harness: HFLM, questions: Sequence[Question]) -> list[float]:
    """The log-probability of every candidate of every question, one behind another."""
    requests = [
        Instance("loglikelihood", {}, (question.text.prompt, question.text.separator + candidate), index)
        for index, question in enumerate(questions)
        for candidate in question.candidates or ()
    ]
    return [logprob for logprob, _ in harness.loglikelihood(requests, disable_tqdm=True)]


def _check(model: LanguageModel, questions: Sequence[Question], theirs: Sequence[float]) -> None:
    ours = [
        score_choices(model.model, model.tokenizer, question.text, candidates=question.candidates or ())
        for question in questions
    ]
    check_close([sum(logprobs) for scores in ours for logprobs in scores], theirs, what="choice, log-probabilities")
    rest = iter(theirs)
    for question, scores, rank in zip(questions, ours, _rank_ours(model, questions), strict=True):
        their_scores = [(next(rest) / len(logprobs),) for logprobs in scores]
        if rank_object(their_scores, (question.candidates or ()).index(question.fact.object)) != rank:
            raise UnequalWorkError(f"choice: another rank of {question.fact.object!r} after {question.text.prompt!r}")
