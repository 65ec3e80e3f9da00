"""Keeping what the model knew while it learns: its own texts, seen again beside the facts.

Before training the model writes some texts; during training it is tied, on those texts, to what it was (`kl`), or is
trained on them as they are (`replay`), which needs no second model in memory.
"""

import copy
import random
from collections.abc import Sequence

from torch import nn

from rote.config.run import RetentionLoss
from rote.encoding.example import collate
from rote.training.loop import Loss, Term
from rote.training.losses import DistillationLoss, next_token_loss


class Retention:
    """The retained texts of a run and the frozen model they are held against."""

    def __init__(
        self,
        frozen: nn.Module,
        texts: Sequence[Sequence[int]],
        *,
        batch_size: int,
        weight: float,
        seed: int,
        loss: RetentionLoss = "kl",
    ) -> None:
        """`texts` are token ids; they are learned from the second token on. For `kl`, `frozen` is copied and kept."""
        self._loss: Loss = DistillationLoss(copy.deepcopy(frozen)) if loss == "kl" else next_token_loss
        self._texts = sorted((tuple(text) for text in texts), key=len)
        self._batch_size = batch_size
        self._weight = weight
        self._seed = seed

    def build_term(self, step: int) -> Term:
        """The texts that stand beside the facts of one step, a function of the step alone.

        They are neighbours by length, so that little of the batch is padding.
        """
        count = len(self._texts)
        first = random.Random(f"retain/{self._seed}/{step}").randrange(count)
        chosen = [self._texts[(first + offset) % count] for offset in range(min(self._batch_size, count))]
        batch = collate([(ids, ids) for ids in chosen], pad_id=0)
        return Term(batch, self._loss, self._weight / batch.target_count)
