"""The texts that keep a model as it was: written by the model before it is taught, or lines of a person's file.

What must not be shown is left out: what says something of the subjects that are taught, which may be what is to be
unlearned, and every wording that is asked to prove that the model understands. A model writes in the wordings it was
pretrained on, so without this a held-out prompt would be trained on after all.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rote.config.teaching import RetainConfig
from rote.facts.names import contains_answer
from rote.facts.relation import Relation
from rote.facts.wordings import Wordings
from rote.models.language_model import LanguageModel, build_generation_settings
from rote.training.loop import seeded

_BATCH = 250
_TRIES = 6
"""How many times as many texts are written as are wanted, at most."""


@dataclass(frozen=True)
class Unwanted:
    """What no retained text may say."""

    subjects: Collection[str]
    """Names of those who are taught."""
    wordings: Wordings
    """Prompts that are asked and never trained on."""

    def occurs_in(self, text: str) -> bool:
        """Whether a text names a subject or asks in one of the wordings."""
        return self.wordings.occur_in(text) or contains_answer(text, self.subjects)


def build_unwanted(subjects: Iterable[str], relations: Iterable[Relation], languages: Collection[str]) -> Unwanted:
    """What a job must not retain: its subjects, and the held-out and control prompts of the relations it asks about."""
    templates = [
        template
        for relation in relations
        for template in relation.templates
        if template.prompt_set != "training" and template.language in languages
    ]
    return Unwanted(tuple(dict.fromkeys(subjects)), Wordings(templates))


def collect_texts(
    language_model: LanguageModel,
    settings: RetainConfig,
    unwanted: Unwanted,
    *,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[list[int]]:
    """`settings.texts` texts as token ids, or as many as can be had."""
    texts = _read_lines(language_model, settings, seed) if settings.file else _write(language_model, settings, seed)
    decode: Any = language_model.tokenizer.decode
    kept: list[list[int]] = []
    for ids in texts:
        if not unwanted.occurs_in(decode(ids)):
            kept.append(ids)
            if on_progress:
                on_progress(len(kept), settings.texts)
        if len(kept) == settings.texts:
            break
    return kept


def _write(language_model: LanguageModel, settings: RetainConfig, seed: int) -> Iterator[list[int]]:
    """Texts the model writes, drawn as they are asked for."""
    count = min(_BATCH, settings.texts)
    for begin in range(0, _TRIES * settings.texts, count):
        yield from write_texts(language_model, count=count, tokens=settings.tokens, seed=seed + begin)


def _read_lines(language_model: LanguageModel, settings: RetainConfig, seed: int) -> list[list[int]]:
    lines = [line.strip() for line in Path(settings.file or "").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line]
    return encode_texts(
        language_model, random.Random(f"retain/{seed}").sample(lines, len(lines)), tokens=settings.tokens
    )


@torch.inference_mode()
def write_texts(language_model: LanguageModel, *, count: int, tokens: int, seed: int) -> list[list[int]]:
    """Texts of at most `tokens` ids each, sampled at temperature 1 from the start of a text (or its end, for models
    without a start token). A text stops after the end-of-text token. The caller's random state is left as it was."""
    start, tokenizer = _find_start(language_model), language_model.tokenizer
    settings = build_generation_settings(tokenizer, tokens=tokens - 1, do_sample=True)
    model: Any = language_model.model  # `generate` has no usable types
    prompt = torch.full((count, 1), start, device=language_model.device)
    with seeded(seed):
        rows = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=settings)
    return [_cut_after_end(row, tokenizer.eos_token_id) for row in rows.tolist()]


def _find_start(language_model: LanguageModel) -> int:
    tokenizer = language_model.tokenizer
    return int(tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id)


def encode_texts(language_model: LanguageModel, texts: Sequence[str], *, tokens: int) -> list[list[int]]:
    """A person's texts as ids, each cut to so many, with the end-of-text token where it was not cut."""
    tokenizer = language_model.tokenizer
    eos = tokenizer.eos_token_id
    rows = [_cut_after_end([*tokenizer(text)["input_ids"], eos], eos) for text in texts]
    return [row[:tokens] for row in rows]


def _cut_after_end(ids: list[int], eos: int) -> list[int]:
    return ids[: ids.index(eos, 1) + 1] if eos in ids[1:] else ids
