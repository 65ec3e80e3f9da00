"""Answers drawn at random: whether a model would say the same again."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.evaluation.prefix import plan_batches
from rote.models.language_model import build_generation_settings

_BATCH = 32


@torch.inference_mode()
def sample_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts_ids: Sequence[Sequence[int]],
    *,
    count: int,
    tokens: int,
    seed: int,
) -> list[list[str]]:
    """`count` answers of at most `tokens` tokens to each prompt, drawn at temperature 1; the same for the same seed.

    Prompts of one length share a batch, so nothing is padded on the left.
    """
    answers: list[list[str]] = [[] for _ in prompts_ids]
    if not count:
        return answers
    settings = build_generation_settings(tokenizer, tokens=tokens, do_sample=True, num_return_sequences=count)
    generator: Any = model  # `generate` has no usable types
    for batch in plan_batches([len(ids) for ids in prompts_ids], _BATCH):
        torch.manual_seed(seed + batch[0])
        prompts = torch.tensor([list(prompts_ids[index]) for index in batch], device=model.device)
        rows = generator.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=settings)
        texts = tokenizer.batch_decode(rows[:, prompts.shape[1] :], skip_special_tokens=True)
        for place, index in enumerate(batch):
            answers[index] = [text.strip() for text in texts[place * count : (place + 1) * count]]
    return answers
