"""Right-padded batches of encoded texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

IGNORE = -100
"""The label of a token that is not learned."""


@dataclass(frozen=True)
class Batch:
    """Token ids and labels, both [rows, length], right-padded; a label of -100 is not learned."""

    input_ids: Tensor
    labels: Tensor

    @property
    def target_count(self) -> int:
        """How many labels a causal model is trained on (the first position is never predicted)."""
        return int((self.labels[:, 1:] != IGNORE).sum())

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(self.input_ids.to(device), self.labels.to(device))


def collate(rows: Sequence[tuple[Sequence[int], Sequence[int]]], *, pad_id: int, length: int | None = None) -> Batch:
    """Pad rows of (ids, labels) on the right to `length`, by default that of the longest row.

    Padding is told from text by position, never by id, so a real eos stays learned when pad and eos are the same.
    """
    width = length or max(len(ids) for ids, _ in rows)
    input_ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORE, dtype=torch.long)
    for index, (ids, targets) in enumerate(rows):
        input_ids[index, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        labels[index, : len(ids)] = torch.tensor(targets, dtype=torch.long)
    return Batch(input_ids, labels)
