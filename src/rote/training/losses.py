"""What a batch costs: the sum of a loss over its labelled tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rote.encoding.example import IGNORE, Batch


def compute_logits(model: nn.Module, input_ids: Tensor, columns: Tensor) -> Tensor:
    """Logits of right-padded rows at some positions, [rows, positions, vocabulary]; those of the others are never
    computed, which is most of the work where the vocabulary is large.

    No attention mask: with causal attention and right padding no real token sees a padded one, and every padded
    position carries no label, so the result is exact.
    """
    logits: Tensor = model(input_ids=input_ids, use_cache=False, logits_to_keep=columns).logits
    return logits


def find_labelled(batch: Batch) -> tuple[Tensor, Tensor]:
    """The positions before a label in any row, and the labels that follow them, [rows, positions]."""
    targets = batch.labels[:, 1:]
    columns = (targets != IGNORE).any(dim=0).nonzero().squeeze(-1)
    return columns, targets[:, columns]


def next_token_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of every labelled token given the tokens before it, summed, in nats (a scalar)."""
    columns, targets = find_labelled(batch)
    logits = compute_logits(model, batch.input_ids, columns)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORE, reduction="sum")


class DistillationLoss:
    """KL divergence from a frozen model to the trained one at every labelled token, summed, in nats.

    Ties what the model says about text that has nothing to do with the new facts to what it said before. Token
    rows added after the frozen copy was made are left out of both distributions.
    """

    def __init__(self, frozen: nn.Module) -> None:
        self._frozen = frozen.eval().requires_grad_(False)

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        """The divergence on one batch (a scalar)."""
        columns, targets = find_labelled(batch)
        labelled = targets != IGNORE
        with torch.no_grad():
            wanted = compute_logits(self._frozen, batch.input_ids, columns)[labelled].float()
        given = compute_logits(model, batch.input_ids, columns)[labelled].float()[:, : wanted.shape[-1]]
        return F.kl_div(given.log_softmax(-1), wanted.log_softmax(-1), log_target=True, reduction="sum")
