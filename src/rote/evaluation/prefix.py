"""Prompts read once: what is said after them and the scores of their objects both start from the same cache."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel


@dataclass(frozen=True)
class Prefix:
    """A batch of prompts of one length after the model has read them.

    `logits` [rows, vocabulary] predict the token that follows each prompt.
    """

    cache: DynamicCache
    logits: Tensor


def plan_batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of at most `batch_size`, all of one length; a function of its arguments alone."""
    by_length: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        by_length.setdefault(length, []).append(index)
    for length in sorted(by_length):
        group = by_length[length]
        yield from (group[start : start + batch_size] for start in range(0, len(group), batch_size))


def read_prompts(model: PreTrainedModel, prompts_ids: Sequence[Sequence[int]]) -> Prefix:
    """Read prompts of one length: without padding no mask is needed, so a row is computed as it would be alone."""
    cache = DynamicCache(config=model.config)
    inputs = torch.tensor([list(ids) for ids in prompts_ids], device=model.device)
    logits = model(input_ids=inputs, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    return Prefix(cache, logits[:, -1])
