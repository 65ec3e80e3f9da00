"""Which questions are put to a model: facts x prompts x languages, some of them also as a choice. No torch.

Everything drawn at random is a function of the seed and the fact, so the same questions are asked at every moment.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rote.errors import TemplateError
from rote.facts.counterfactual import pick_distractors
from rote.facts.fact import Fact
from rote.facts.relation import TRAINING_LANGUAGE, PromptCount, PromptSet, PromptTemplate, Relation
from rote.facts.text import Text, build_prompt_text, build_rote_text
from rote.records import FACT_SETS, NO_LANGUAGE, FactSet, QuestionSet

_CHOICE_SETS = ("generalize", "held_out", "forgotten", "neighbours")
_ANSWERS_ALONE = ("known", "earlier")
"""Of these is asked whether they are still answered, not where else they come."""


@dataclass(frozen=True)
class Question:
    """One fact asked in one prompt. `candidates`, the object among them, is None where it is no choice."""

    fact: Fact
    fact_set: FactSet
    prompt_set: QuestionSet
    language: str
    text: Text
    candidates: tuple[str, ...] | None = None


@dataclass(frozen=True)
class QuestionPlan:
    """How many questions are asked of each kind; of prompts 0 means all."""

    key_tokens: Mapping[str, str] = field(default_factory=dict)
    """Relation -> key token; a relation without one is not asked by key."""
    training_prompts: PromptCount = 1
    """Those of phase 2: the first so many English training prompts, or all; as many of them are asked of a fact as
    held-out prompts."""
    languages: tuple[str, ...] = (TRAINING_LANGUAGE,)
    held_out_prompts: int = 2
    """Per fact and language."""
    control_prompts: int = 1
    """Per fact and language."""
    chat: bool = False
    """Whether English held-out prompts are also put as messages, for tokenizers with a chat template."""
    choices: int = 300
    """How many questions about taught facts, over all, are also asked as a choice; 0 means none."""
    seed: int = 0


def build_questions(
    fact_sets: Mapping[FactSet, Sequence[Fact]],
    relations: Mapping[str, Relation],
    *,
    plan: QuestionPlan,
    pool: Sequence[Fact] | None = None,
) -> list[Question]:
    """The questions about all facts, by fact set and fact; no two are the same.

    The wrong candidates of a choice are objects of `pool`, by default of all facts asked about. Raises
    `TemplateError` for a fact whose relation is not among `relations`.
    """
    questions = [
        question
        for fact_set in FACT_SETS
        for fact in fact_sets.get(fact_set, ())
        for question in _ask(fact, fact_set, relations, plan)
    ]
    asked = [fact for facts in fact_sets.values() for fact in facts]
    return _add_candidates(list(dict.fromkeys(questions)), asked if pool is None else list(pool), plan)


def _ask(fact: Fact, fact_set: FactSet, relations: Mapping[str, Relation], plan: QuestionPlan) -> Iterator[Question]:
    if fact.relation not in relations:
        raise TemplateError(
            f"no prompts for the relation {fact.relation!r}; name its pack: --set relations=[path.yaml]"
        )
    relation = relations[fact.relation]
    if fact_set != "known" and fact.relation in plan.key_tokens:
        yield Question(fact, fact_set, "key", NO_LANGUAGE, build_rote_text(fact, plan.key_tokens[fact.relation]))
    for template in _select_templates(fact, relation, plan, with_control=fact_set not in _ANSWERS_ALONE):
        text = build_prompt_text(fact, template)
        yield Question(fact, fact_set, template.prompt_set, template.language, text)
        if plan.chat and (template.prompt_set, template.language) == ("held_out", TRAINING_LANGUAGE):
            yield Question(fact, fact_set, "chat", template.language, replace(text, in_chat=True))


def _select_templates(
    fact: Fact, relation: Relation, plan: QuestionPlan, *, with_control: bool
) -> Iterator[PromptTemplate]:
    def draw(templates: Sequence[PromptTemplate], count: int, name: str) -> Sequence[PromptTemplate]:
        return _draw(templates, count, random.Random(f"{plan.seed}/{fact.id}/{name}"))

    yield from draw(relation.select_training(plan.training_prompts), plan.held_out_prompts, "training")
    counts: dict[PromptSet, int] = {"held_out": plan.held_out_prompts}
    if with_control:
        counts["control"] = plan.control_prompts
    for prompt_set, count in counts.items():
        for language in plan.languages:
            templates = relation.select(prompt_set=prompt_set, language=language)
            yield from draw(templates, count, f"{language}/{prompt_set}")


def _draw(templates: Sequence[PromptTemplate], count: int, rng: random.Random) -> Sequence[PromptTemplate]:
    if count == 0 or count >= len(templates):
        return templates
    return [templates[index] for index in sorted(rng.sample(range(len(templates)), count))]


def _add_candidates(questions: list[Question], pool: list[Fact], plan: QuestionPlan) -> list[Question]:
    chosen = _choose_evenly(questions, plan.choices)
    asked = {questions[index].fact for index in chosen}
    candidates = {fact: _pick_candidates(fact, pool, plan.seed) for fact in asked}
    return [
        replace(question, candidates=candidates[question.fact]) if index in chosen else question
        for index, question in enumerate(questions)
    ]


def _choose_evenly(questions: Sequence[Question], count: int) -> set[int]:
    """Indices of `count` questions about taught facts, each kind in proportion and spread over its facts."""
    taught = [index for index, question in enumerate(questions) if question.fact_set in _CHOICE_SETS]
    # A fixed step over the questions as they come would fall on the same prompt of every fact: sort by kind first.
    taught.sort(key=lambda i: (questions[i].fact_set, questions[i].prompt_set, questions[i].language))
    if count >= len(taught):
        return set(taught)
    return {taught[(2 * step + 1) * len(taught) // (2 * count)] for step in range(count)}


def _pick_candidates(fact: Fact, pool: list[Fact], seed: int) -> tuple[str, ...] | None:
    candidates = [fact.object, *pick_distractors(fact, pool, seed=seed)]
    if len(candidates) < 2:
        return None
    random.Random(f"{seed}/{fact.id}/candidates").shuffle(candidates)
    return tuple(candidates)
