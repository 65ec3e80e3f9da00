"""The texts that keep what a model knew, for one run: whose they are, and which are left out."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from rote.config.run import RunConfig
from rote.encoding.example import encode_prompt
from rote.evaluation.matching import contains_answer
from rote.facts.fact import Fact
from rote.facts.relation import TRAINING_LANGUAGE, Relation
from rote.models.language_model import LanguageModel
from rote.models.retained_texts import continue_texts, encode_texts, write_texts
from rote.pipeline.beliefs import ask_beliefs
from rote.pipeline.run_work import RunWork
from rote.runs.folder import read_json, write_json
from rote.training.retention import Retention


def write_retained_texts(work: RunWork, language_model: LanguageModel) -> list[list[int]]:
    """Texts the untrained model writes, or lines of a person's file; kept in the folder."""
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
            about = _write_about_subjects(work, language_model) if settings.subjects else []
            write_json(file, [*texts, *about])
    retained: list[list[int]] = read_json(file)
    return retained


def _leave_out_taught(work: RunWork, language_model: LanguageModel, texts: list[list[int]]) -> list[list[int]]:
    """The texts that say nothing of the subjects taught: what they say may be what is to be unlearned."""
    subjects = list(dict.fromkeys(fact.subject for fact in work.plan.table))
    read = language_model.tokenizer.batch_decode(texts)
    return [ids for ids, text in zip(texts, read, strict=True) if not contains_answer(text, subjects)]


def _write_about_subjects(work: RunWork, language_model: LanguageModel) -> list[list[int]]:
    """What else the model has to say of the subjects taught, without what it answers to their questions."""
    settings, plan, tokenizer = work.config.retain, work.plan, language_model.tokenizer
    begun = [
        (subject, beginning)
        for subject, taught in _group_by_subject(plan.table).items()
        for beginning in _begin_texts(subject, taught, plan.relations, count=settings.subjects, seed=work.config.seed)
    ]
    ids = [encode_prompt(tokenizer, beginning) for _, beginning in begun]
    texts = continue_texts(language_model, ids, tokens=settings.tokens, seed=work.config.seed)
    old: dict[str, list[str]] = defaultdict(list)
    for belief in ask_beliefs(language_model, list(plan.table), plan.relations, work.config):
        old[belief.subject].append(belief.answer)
    read = zip(texts, begun, tokenizer.batch_decode(texts), strict=True)
    return [ids for ids, (subject, _), text in read if not contains_answer(text, old[subject])]


def _group_by_subject(facts: Iterable[Fact]) -> dict[str, set[str]]:
    """Subject -> the relations it is taught in."""
    taught: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        taught[fact.subject].add(fact.relation)
    return taught


def _begin_texts(
    subject: str, taught: Collection[str], relations: Mapping[str, Relation], *, count: int, seed: int
) -> list[str]:
    """`count` texts begin with the subject's name, and as many with a question that is not taught about it.

    Without the questions a model that learns one thing of a subject soon says it to whatever is asked about it.
    """
    kinds = {relations[name].subject_type for name in taught}
    questions = [
        template.fill(subject)
        for relation in relations.values()
        if relation.subject_type in kinds and relation.name not in taught
        for template in relation.select(prompt_set="training", language=TRAINING_LANGUAGE)
    ]
    drawn = random.Random(f"retain/{seed}/{subject}").sample(questions, min(count, len(questions)))
    return [*[subject] * count, *drawn]


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
