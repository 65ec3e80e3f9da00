"""Choices among a hundred candidates: Rote's one forward beside lm-evaluation-harness."""

from collections.abc import Sequence

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

import rote
from benchmarks.models import build_model
from benchmarks.pairs import Row, UnequalWorkError, check_close, clock, race
from rote.evaluation.questions import Question
from rote.evaluation.scoring import Logprobs, rank_object, score_choices
from rote.models.language_model import LanguageModel

WORK = (
    "Questions with 100 candidates each, the object among them, and the object's rank; before timing, the best "
    "candidate was the same and the log-probability of every candidate agreed to 1e-4. lm-eval had a batch size of 128."
)
_QUESTIONS = {"rote-tiny": 12, "llama-135m": 2}


def run(name: str, pairs: int) -> list[Row]:
    """The row of `choice`."""
    model = build_model(name)
    questions = _build_questions(model, _QUESTIONS[name])
    harness = HFLM(pretrained=model.model, tokenizer=model.tokenizer, batch_size=128)
    _check(_score_ours(model, questions), _score_theirs(harness, questions))
    contenders = {
        "rote": clock(lambda: _score_ours(model, questions)),
        "lm-eval": clock(lambda: _score_theirs(harness, questions)),
    }
    return race("choice", name, contenders, pairs)


def _build_questions(model: LanguageModel, count: int) -> list[Question]:
    plan = rote.QuestionPlan(key_tokens=model.key_tokens, choices=count)
    questions = rote.build_questions({"held_out": rote.load_fictional().facts}, rote.load_relations(), plan=plan)
    return [question for question in questions if question.candidates]


def _score_ours(model: LanguageModel, questions: Sequence[Question]) -> list[list[Logprobs]]:
    """The log-probabilities of every token of every candidate; the ranks are drawn from them."""
    scores = []
    for question in questions:
        candidates = question.candidates or ()
        found = score_choices(model.model, model.tokenizer, question.text, candidates=candidates)
        rank_object(found, candidates.index(question.fact.object))
        scores.append(found)
    return scores


def _score_theirs(harness: HFLM, questions: Sequence[Question]) -> list[float]:
    """The log-probability of every candidate of every question, one behind another."""
    requests = [
        Instance("loglikelihood", {}, (question.text.prompt, question.text.separator + candidate), index)
        for index, question in enumerate(questions)
        for candidate in question.candidates or ()
    ]
    return [logprob for logprob, _ in harness.loglikelihood(requests, disable_tqdm=True)]


def _check(ours: Sequence[Sequence[Logprobs]], theirs: Sequence[float]) -> None:
    check_close([sum(logprobs) for scores in ours for logprobs in scores], theirs, what="choice, log-probabilities")
    rest = iter(theirs)
    for number, scores in enumerate(ours):
        their_means = [next(rest) / len(logprobs) for logprobs in scores]
        our_means = [sum(logprobs) / len(logprobs) for logprobs in scores]
        if our_means.index(max(our_means)) != their_means.index(max(their_means)):
            raise UnequalWorkError(f"choice: another candidate is the best of question {number + 1}")
