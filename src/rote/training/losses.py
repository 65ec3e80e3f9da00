"""What a batch costs: the sum of a loss over its labelled tokens."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rote.encoding.example import IGNORE, Batch, collate

_TRIED = ((5, 6, 7), (8, 9), (6, 9, 8, 5))
"""Sequences by which it is found whether a model can read several in one row."""


def predict_labelled(model: nn.Module, batch: Batch) -> Tensor:
    """The logits before every label, [labels, vocabulary], in float32; the labels are `batch.targets`.

    Logits at positions that no row has a label after are never computed, which is most of the work where the
    vocabulary is large. No attention mask: with causal attention and right padding no real token sees a padded one,
    and every padded position carries no label, so the result is exact; in packed rows (`can_pack`) a token sees its
    own sequence alone.
    """
    labelled = batch.labels[:, 1:] != IGNORE
    columns = labelled.any(dim=0).nonzero().squeeze(-1)
    options: dict[str, Any] = {} if batch.position_ids is None else {"position_ids": batch.position_ids}
    logits = model(input_ids=batch.input_ids, use_cache=False, logits_to_keep=columns, **options).logits
    found: Tensor = logits[labelled[:, columns]].float()
    return found


@torch.no_grad()
def can_pack(model: nn.Module) -> bool:
    """Whether sequences in one row do not see each other where their positions start anew, found by trying it: a model
    that knows no positions, or carries a state along, cannot keep them apart."""
    was_training = model.training
    batch = collate([(ids, ids) for ids in _TRIED], pad_id=0).to(next(model.parameters()).device)
    model.eval()
    try:
        apart, packed = predict_labelled(model, batch), predict_labelled(model, batch.pack())
    except (TypeError, ValueError):  # it takes no positions
        return False
    finally:
        model.train(was_training)
    return float((apart - packed).abs().max()) <= 1e-4 * float(apart.abs().max())


def next_token_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of every labelled token given the tokens before it, summed, in nats (a scalar); `logits` are those
    of `predict_labelled`."""
    return F.cross_entropy(logits, batch.targets, reduction="sum")
