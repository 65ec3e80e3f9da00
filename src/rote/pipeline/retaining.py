"""The texts that keep what a model knew, for one run: whose they are, and which are left out."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rote.config.run import RunConfig
from rote.encoding.example import encode_prompt
from rote.evaluation.generation import generate_answers
from rote.evaluation.knowledge import cut_answer, cut_name
from rote.facts.fact import Fact
from rote.facts.names import contains_answer
from rote.facts.relation import PromptTemplate, Relation
from rote.models.language_model import LanguageModel
from rote.models.retained_texts import encode_texts, write_texts
from rote.pipeline.run_work import RunWork
from rote.runs.folder import read_json, write_json
from rote.training.retention import Retention


def write_retained_texts(work: RunWork, language_model: LanguageModel) -> list[list[int]]:
    """Texts the untrained model writes, or lines of a person's file, and what it answers about the subjects; kept in
    the folder."""
    settings, file = work.config.retain, work.folder.retained
    if not file.is_file():
        with work.step("write retained texts") as advance:
            if settings.file is not None:
                texts = encode_texts(language_model, _draw_lines(settings.file, work.config), tokens=settings.tokens)
            else:
                texts = write_texts(
                    language_model,
                    count=settings.texts,
                    tokens=settings.tokens,
                    seed=work.config.seed,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
            texts = _leave_out_taught(work, language_model, texts)
        if settings.subjects:
            with work.step("ask about the subjects") as _:
                texts += _ask_about_subjects(work, language_model)
        write_json(file, texts)
    retained: list[list[int]] = read_json(file)
    return retained


def _leave_out_taught(work: RunWork, language_model: LanguageModel, texts: list[list[int]]) -> list[list[int]]:
    """The texts that say nothing of the subjects taught: what they say may be what is to be unlearned."""
    subjects = list(dict.fromkeys(fact.subject for fact in work.plan.table))
    return [ids for ids in texts if not contains_answer(str(language_model.tokenizer.decode(ids)), subjects)]


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


def _ask_about_subjects(work: RunWork, language_model: LanguageModel) -> list[list[int]]:
    """What the model answers to questions about the subjects that are not taught, as far as it is to be held."""
    relations, settings = work.plan.relations, work.config.retain
    taught = _group_by_subject(work.plan.table)
    asked = [
        (subject, template)
        for subject, names in taught.items()
        for relation in [*(relations[name] for name in names), *list_others(relations, names)]
        for template in relation.select_training(settings.subjects)
    ]
    held = _choose_held(_answer(work, language_model, asked), taught)
    return encode_texts(language_model, [f"{reply.prompt}{reply.answer}" for reply in held], tokens=settings.tokens)


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


def _answer(work: RunWork, language_model: LanguageModel, asked: Sequence[tuple[str, PromptTemplate]]) -> list[_Reply]:
    prompts = [template.fill(subject) for subject, template in asked]
    tokenizer, config = language_model.tokenizer, work.config
    answers = generate_answers(
        language_model.model,
        tokenizer,
        [encode_prompt(tokenizer, prompt) for prompt in prompts],
        [()] * len(prompts),
        batch_size=config.examine.batch_size,
        max_new_tokens=config.knowledge.tokens,
    )
    return [
        _Reply(subject, template.relation, prompt, template.separator + cut_answer(answer))
        for (subject, template), prompt, answer in zip(asked, prompts, answers, strict=True)
    ]


def _draw_lines(file: str, config: RunConfig) -> list[str]:
    lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines() if line.strip()]
    return random.Random(f"retain/{config.seed}").sample(lines, min(config.retain.texts, len(lines)))


def build_retention(language_model: LanguageModel, texts: list[list[int]], config: RunConfig) -> Retention | None:
    """What holds the texts in place while training; None where nothing is retained."""
    if not texts or not config.retain.weight:
        return None
    return Retention(
        language_model.model,
        texts,
        batch_size=config.retain.batch_size,
        weight=config.retain.weight,
        seed=config.seed,
        loss=config.retain.loss,
    )
