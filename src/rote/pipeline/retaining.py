"""The texts that keep what a model knew, for one run: whose they are, and which are left out."""

import random
from pathlib import Path

from rote.config.run import RunConfig
from rote.evaluation.matching import contains_answer
from rote.models.language_model import LanguageModel
from rote.models.retained_texts import encode_texts, write_about, write_texts
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
            write_json(file, [*texts, *_write_about_subjects(work, language_model)])
    retained: list[list[int]] = read_json(file)
    return retained


def _leave_out_taught(work: RunWork, language_model: LanguageModel, texts: list[list[int]]) -> list[list[int]]:
    """The texts that say nothing of the subjects taught: what they say may be what is to be unlearned."""
    subjects = list(dict.fromkeys(fact.subject for fact in work.plan.table))
    read = language_model.tokenizer.batch_decode(texts)
    return [ids for ids, text in zip(texts, read, strict=True) if not contains_answer(text, subjects)]


def _write_about_subjects(work: RunWork, language_model: LanguageModel) -> list[list[int]]:
    """What else the model has to say of the subjects taught, without what it answers to their questions."""
    settings, facts, tokenizer = work.config.retain, list(work.plan.table), language_model.tokenizer
    if not settings.subjects:
        return []
    names = list(dict.fromkeys(fact.subject for fact in facts))
    texts = write_about(language_model, names, count=settings.subjects, tokens=settings.tokens, seed=work.config.seed)
    old: dict[str, list[str]] = {name: [] for name in names}
    for belief in ask_beliefs(language_model, facts, work.plan.relations, work.config):
        old[belief.subject].append(belief.answer)
    about = [name for name in names for _ in range(settings.subjects)]
    read = tokenizer.batch_decode(texts)
    return [ids for ids, name, text in zip(texts, about, read, strict=True) if not contains_answer(text, old[name])]


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
