"""Objectives that take taught facts away from a model, and what stands beside them so that the rest stays.

With F the examples of the facts that are to be forgotten and R those of other taught facts, x a prompt or rote line up
to the object and y the object:

*Gradient difference* (Liu et al. 2022, arXiv 2203.12817; TOFU, arXiv 2401.06121) climbs the loss of F and descends that
of R; w is `kept_weight`, both are means over labelled tokens: the objects, and in R the end of text after them:

    L = -L_F + w L_R,    L_S = mean over S of -log p(y | x)

It has no lower bound, so it has to be stopped.

*Negative preference optimization* (Zhang et al. 2024, arXiv 2404.05868) is the half of DPO that knows no preferred
answer; q is the model as it was before, log p(y | x) is summed over the tokens of the object:

    L = (2 / beta) mean over F of log(1 + (p(y | x) / q(y | x))^beta) + w L_R

Its gradient is that of gradient ascent, weighted by 2 p^beta / (p^beta + q^beta): the less likely an object has become,
the less it is pushed. With beta towards 0 it is gradient ascent.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from rote.config.forgetting import ForgetConfig
from rote.encoding.example import IGNORE, Batch, Example, collate
from rote.training.loop import Term
from rote.training.losses import next_token_loss, predict_labelled

_READ = 32
"""Examples that are read at a time."""


@dataclass(frozen=True)
class Unlearning:
    """The loss of a step that takes examples away and holds others in place."""

    forgotten: Sequence[Example]
    """Only their objects are labelled: what asks for them is not unlearned, nor that a text ends after them."""
    neighbours: Sequence[Example]
    """Of other taught facts of the same relations."""
    others: Sequence[Example]
    """Of the facts of all other relations."""
    settings: ForgetConfig
    preference: "NegativePreference | None" = None
    """None for gradient difference."""

    def identify(self) -> list[Any]:
        """What decides the loss, as plain data; the forgotten examples are told by whoever trains on them."""
        held = [[example.ids, example.labels] for example in (*self.neighbours, *self.others)]
        return [self.settings.model_dump(exclude={"relearn"}), held]

    def build_terms(self, chosen: Sequence[int], step: int) -> list[Term]:
        """The terms of one step, a function of it and of which forgotten examples are its own."""
        parts = self._part(chosen)
        terms = [self._push(part, 1.0 / len(chosen)) for part in parts] if self.preference else self._climb(parts)
        held = self._part(self._draw_held(step))
        batches = [_collate([(example.ids, example.labels) for example in part]) for part in held]
        targets = sum(batch.target_count for batch in batches)
        return [*terms, *(Term(batch, next_token_loss, self.settings.kept_weight / targets) for batch in batches)]

    def _climb(self, parts: Sequence[Sequence[int]]) -> list[Term]:
        """Ascent: the loss with its sign changed."""
        rows = [[self.forgotten[number] for number in part] for part in parts]
        batches = [_collate([(example.ids, example.labels) for example in row]) for row in rows]
        targets = sum(batch.target_count for batch in batches)
        return [Term(batch, next_token_loss, -1.0 / targets) for batch in batches]

    def _push(self, part: Sequence[int], scale: float) -> Term:
        assert self.preference is not None
        rows = [(self.forgotten[number].ids, self.preference.label(number)) for number in part]
        return Term(_collate(rows), self.preference.compute, scale)

    def _draw_held(self, step: int) -> list[Example]:
        """Half of the examples that are held from each group, or all from the one that there is."""
        draw = random.Random(f"held/{self.settings.seed}/{step}")
        groups = [group for group in (self.neighbours, self.others) if group]
        count = self.settings.kept // max(1, len(groups))
        return [example for group in groups for example in draw.sample(group, min(count, len(group)))]

    def _part(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        size = self.settings.micro_batch_size or max(1, len(items))
        return [items[start : start + size] for start in range(0, len(items), size)]


class NegativePreference:
    """The loss of negative preference optimization. The model as it was is asked once, and not kept."""

    def __init__(self, model: PreTrainedModel, examples: Sequence[Example], *, beta: float) -> None:
        """`model` is what the objects' likelihoods are held against: the model before anything is unlearned."""
        labels = [[label for label in example.labels if label != IGNORE] for example in examples]
        self._examples = examples
        self._starts = [0, *accumulate(map(len, labels))]
        self._tokens = torch.tensor([token for ids in labels for token in ids])
        self._owners = torch.tensor([number for number, ids in enumerate(labels) for _ in ids])
        self._beta = beta
        self._before = self._read(model)

    def label(self, number: int) -> tuple[int, ...]:
        """The labels of an example: the numbers of its learned tokens among all, by which `compute` knows them."""
        numbers = iter(range(self._starts[number], self._starts[number + 1]))
        return tuple(IGNORE if label == IGNORE else next(numbers) for label in self._examples[number].labels)

    def compute(self, logits: Tensor, batch: Batch) -> Tensor:
        """(2 / beta) log(1 + (p / q)^beta), summed over the examples of a batch (a scalar); `logits` stand before every
        label, [labels, vocabulary]."""
        owners, said = self._sum_up(logits, batch)
        ratio = said - self._before[owners.cpu()].to(said)
        return -2 / self._beta * F.logsigmoid(-self._beta * ratio).sum()

    def _sum_up(self, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Which examples a batch holds, [examples], and the log-probability of the object of each, [examples]."""
        numbers = batch.targets.cpu()
        tokens = self._tokens[numbers].to(logits.device)
        found = -F.cross_entropy(logits, tokens, reduction="none")
        owners, places = torch.unique(self._owners[numbers].to(logits.device), return_inverse=True)
        return owners, found.new_zeros(len(owners)).index_add(0, places, found)

    @torch.no_grad()
    def _read(self, model: PreTrainedModel) -> Tensor:
        """The log-probability of every example's object as it is, [examples]."""
        was_training = model.training
        model.train(False)
        before = torch.zeros(len(self._examples))
        for start in range(0, len(self._examples), _READ):
            numbers = range(start, min(start + _READ, len(self._examples)))
            batch = _collate([(self._examples[number].ids, self.label(number)) for number in numbers]).to(model.device)
            owners, said = self._sum_up(predict_labelled(model, batch), batch)
            before[owners.cpu()] = said.cpu()
        model.train(was_training)
        return before


def _collate(rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Batch:
    return collate(rows, pad_id=0)  # causal and right-padded: no real token sees the padding
