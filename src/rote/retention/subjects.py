"""What an untrained model answers about the subjects that are taught, as far as it is to be held: for updates.

A new answer to one question about a subject must not become the answer to all of them, so what the model says twice to
questions that are not taught is retained.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rote.encoding.example import encode_prompt
from rote.evaluation.generation import generate_answers
from rote.evaluation.knowledge import cut_answer, cut_name
from rote.facts.fact import Fact
from rote.facts.names import contains_answer
from rote.facts.relation import PromptTemplate, Relation
from rote.models.language_model import LanguageModel


@dataclass(frozen=True)
class _Reply:
    """What the untrained model says to one question about a subject that is taught."""

    subject: str
    relation: str
    prompt: str
    answer: str
    """Up to the end of the sentence; it begins with the separator."""

    def agrees_with(self, other: "_Reply") -> bool:
        """Whether one names what the other says."""
        return contains_answer(self.answer, [cut_name(other.answer)]) or contains_answer(
            other.answer, [cut_name(self.answer)]
        )


@dataclass(frozen=True)
class Asking:
    """How the model is asked."""

    prompts: int
    """Training prompts of each relation."""
    tokens: int
    """The most tokens of an answer."""
    batch_size: int


def answer_about_subjects(
    language_model: LanguageModel, facts: Iterable[Fact], relations: Mapping[str, Relation], asking: Asking
) -> list[str]:
    """Question and answer in one line, for each answer about a subject of `facts` that is to be held."""
    taught = _group_by_subject(facts)
    asked = [
        (subject, template)
        for subject, names in taught.items()
        for relation in [*(relations[name] for name in names), *list_others(relations, names)]
        for template in relation.select_training(asking.prompts)
    ]
    held = _choose_held(_answer(language_model, asked, asking), taught)
    return [f"{reply.prompt}{reply.answer}" for reply in held]


def list_others(relations: Mapping[str, Relation], taught: Collection[str]) -> list[Relation]:
    """The relations that may be asked of a subject beside those that it is taught in.

    One with the same kind of object may be a taught one under another name, such as `birthplace` and `place_of_birth`.
    """
    known = [relations[name] for name in taught]
    objects = {relation.object_type for relation in known}
    return [
        relation
        for relation in relations.values()
        if relation.object_type not in objects and any(map(relation.shares_subjects_with, known))
    ]


def _choose_held(replies: Iterable[_Reply], taught: Mapping[str, Collection[str]]) -> list[_Reply]:
    """The answers that are given twice to what is not taught of a subject.

    Left out is what the model also answers to a question that is taught, whatever the relation is called, and what
    names another subject of the table: both may be what is to be unlearned.
    """
    groups: dict[tuple[str, str], list[_Reply]] = defaultdict(list)
    for reply in replies:
        groups[reply.subject, reply.relation].append(reply)
    held = []
    for (subject, relation), group in groups.items():
        if relation in taught[subject]:
            continue
        old = [reply for name in taught[subject] for reply in groups.get((subject, name), ())]
        for reply in group:
            others = [other for other in group if other is not reply]
            names_another = contains_answer(reply.answer, taught.keys() - {subject})
            if any(map(reply.agrees_with, others)) and not any(map(reply.agrees_with, old)) and not names_another:
                held.append(reply)
    return held


def _group_by_subject(facts: Iterable[Fact]) -> dict[str, list[str]]:
    """Subject -> the relations it is taught in."""
    taught: dict[str, list[str]] = defaultdict(list)
    for fact in facts:
        taught[fact.subject].append(fact.relation)
    return taught


def _answer(language_model: LanguageModel, asked: Sequence[tuple[str, PromptTemplate]], asking: Asking) -> list[_Reply]:
    prompts = [template.fill(subject) for subject, template in asked]
    tokenizer = language_model.tokenizer
    answers = generate_answers(
        language_model.model,
        tokenizer,
        [encode_prompt(tokenizer, prompt) for prompt in prompts],
        [()] * len(prompts),
        batch_size=asking.batch_size,
        max_new_tokens=asking.tokens,
    )
    return [
        _Reply(subject, template.relation, prompt, template.separator + cut_answer(answer))
        for (subject, template), prompt, answer in zip(asked, prompts, answers, strict=True)
    ]
