"""The texts that keep a model as it was: written by the model before it is taught, or lines of a person's file.

What must not be shown is left out: what says something of the subjects that are taught, which may be what is to be
unlearned, and every wording that is asked to prove that the model understands. A model writes in the wordings it was
pretrained on, so without this a held-out prompt would be trained on after all. A model that was taught before writes
many rote lines: they say nothing of what it knew before, and are left out too.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rote.config.teaching import RetainConfig
from rote.evaluation.reading import Prefix, read_prompts
from rote.facts.names import contains_answer
from rote.facts.relation import Relation
from rote.facts.wordings import Wordings
from rote.models.language_model import LanguageModel

_BATCH = 250
_TRIES = 20
"""How many times as many texts are written as are wanted, at most."""
_GLANCE = 8
"""Tokens between two looks at whether a text that is being written is wanted."""


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
    wanted = _select_lines if settings.file else _write
    kept: list[list[int]] = []
    for ids in wanted(language_model, settings, unwanted, seed):
        kept.append(ids)
        if on_progress:
            on_progress(len(kept), settings.texts)
        if len(kept) == settings.texts:
            break
    return kept


def _write(language_model: LanguageModel, settings: RetainConfig, unwanted: Unwanted, seed: int) -> Iterator[list[int]]:
    """Texts the model writes, drawn as they are asked for."""
    count = min(_BATCH, settings.texts)
    for begin in range(0, _TRIES * settings.texts, count):
        texts = write_texts(
            language_model, count=count, tokens=settings.tokens, seed=seed + begin, is_unwanted=unwanted.occurs_in
        )
        yield from texts


def _select_lines(
    language_model: LanguageModel, settings: RetainConfig, unwanted: Unwanted, seed: int
) -> Iterator[list[int]]:
    decode: Any = language_model.tokenizer.decode
    for ids in _read_lines(language_model, settings, seed):
        if not unwanted.occurs_in(decode(ids)):
            yield ids


def _read_lines(language_model: LanguageModel, settings: RetainConfig, seed: int) -> list[list[int]]:
    lines = [line.strip() for line in Path(settings.file or "").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line]
    return encode_texts(
        language_model, random.Random(f"retain/{seed}").sample(lines, len(lines)), tokens=settings.tokens
    )


@torch.inference_mode()
def write_texts(
    language_model: LanguageModel,
    *,
    count: int,
    tokens: int,
    seed: int,
    is_unwanted: Callable[[str], bool] | None = None,
) -> list[list[int]]:
    """Texts of at most `tokens` ids each, drawn at temperature 1 from the start of a text (or its end, for models
    without a start token). A text stops after the end-of-text token.

    `count` texts are begun, and those that are unwanted or hold a key token are given up, often long before they end:
    each has random numbers of its own, so the others are what they would be beside them. Torch's own are left as they
    were.
    """
    start = _find_start(language_model)
    draws = torch.rand((count, tokens - 1), generator=torch.Generator().manual_seed(seed))
    prefix = read_prompts(language_model.model, [[start]] * count)
    return _Writer(language_model, [[start] for _ in range(count)], is_unwanted).run(prefix, draws)


class _Writer:
    """Writes one batch of texts; those that are finished or given up leave it, so no time is spent on them."""

    def __init__(
        self, language_model: LanguageModel, texts: list[list[int]], is_unwanted: Callable[[str], bool] | None
    ) -> None:
        self._tokenizer: Any = language_model.tokenizer
        self._keys = set(map(self._tokenizer.convert_tokens_to_ids, language_model.key_tokens.values()))
        self._texts = texts
        self._is_unwanted = is_unwanted

    def run(self, prefix: Prefix, draws: Tensor) -> list[list[int]]:
        """Write after the prefix, a token for each column of `draws` [texts, tokens], which are uniform in [0, 1); the
        texts that are wanted, in order."""
        rows, given_up = list(range(len(self._texts))), set[int]()
        for step in range(draws.shape[1]):
            chosen = draw(prefix.logits, draws[rows, step])
            for row, token in zip(rows, chosen.tolist(), strict=True):
                self._texts[row].append(token)
            given_up |= {row for row in rows if self._texts[row][-1] in self._keys}
            going = [
                place
                for place, row in enumerate(rows)
                if self._texts[row][-1] != self._tokenizer.eos_token_id and row not in given_up
            ]
            if (step + 1) % _GLANCE == 0:
                given_up |= self._find_unwanted([rows[place] for place in going])
                going = [place for place in going if rows[place] not in given_up]
            if not going or step + 1 == draws.shape[1]:
                break
            if len(going) < len(rows):
                index = torch.tensor(going, device=chosen.device)
                prefix.select(index)
                chosen, rows = chosen[index], [rows[place] for place in going]
            prefix.read(chosen[:, None])
        kept = [row for row in range(len(self._texts)) if row not in given_up]
        given_up |= self._find_unwanted(kept)
        return [self._texts[row] for row in kept if row not in given_up]

    def _find_unwanted(self, rows: Sequence[int]) -> set[int]:
        if self._is_unwanted is None:
            return set()
        return {row for row in rows if self._is_unwanted(self._tokenizer.decode(self._texts[row]))}


def draw(logits: Tensor, draws: Tensor) -> Tensor:
    """For each row of `logits` [rows, vocabulary] the token at which its cumulative probability passes the row's number
    of `draws`: one random number for a row, where `torch.multinomial` takes one for each token of the vocabulary."""
    reached = logits.float().softmax(dim=-1).cumsum(dim=-1)
    found = torch.searchsorted(reached, draws.to(reached.device)[:, None] * reached[:, -1:], right=True)
    return found[:, 0].clamp(max=logits.shape[1] - 1)


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
