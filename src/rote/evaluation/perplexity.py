"""How well a model foresees a text: nats per token, passage by passage."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.encoding.example import collate
from rote.training.losses import next_token_loss

_PASSAGE = 256
"""Tokens read at a time; the first of each is not foreseen."""


@torch.inference_mode()
def score_passages(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[float]:
    """The mean nats per token of each passage of each text; a text of one token has none.

    exp of their mean, weighted by tokens, is the perplexity.
    """
    rows = [tokenizer(text)["input_ids"] for text in texts if text.strip()]
    passages = [row[start : start + _PASSAGE] for row in rows for start in range(0, len(row), _PASSAGE)]
    return [_score(model, passage) for passage in passages if len(passage) > 1]


def _score(model: PreTrainedModel, ids: list[int]) -> float:
    batch = collate([(ids, ids)], pad_id=0).to(model.device)
    return float(next_token_loss(model, batch)) / (len(ids) - 1)
