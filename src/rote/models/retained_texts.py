"""Letting a model write: texts drawn from what it holds, which later keep that in place."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from rote.models.language_model import LanguageModel, build_generation_settings

_BATCH = 250


@torch.inference_mode()
def write_texts(
    language_model: LanguageModel,
    *,
    count: int,
    tokens: int,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[list[int]]:
    """Texts of at most `tokens` ids each, sampled at temperature 1 from the start of a text (or its end, for
    models without a start token). A text stops after the end-of-text token."""
    start, tokenizer = _find_start(language_model), language_model.tokenizer
    settings = build_generation_settings(tokenizer, tokens=tokens - 1, do_sample=True)
    model: Any = language_model.model  # `generate` has no usable types
    texts: list[list[int]] = []
    for begin in range(0, count, _BATCH):
        torch.manual_seed(seed + begin)
        prompt = torch.full((min(_BATCH, count - begin), 1), start, device=language_model.device)
        rows = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=settings)
        texts += [_cut_after_end(row, tokenizer.eos_token_id) for row in rows.tolist()]
        if on_progress:
            on_progress(len(texts), count)
    return texts


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
