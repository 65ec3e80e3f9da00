"""What the untrained model says about the retained texts, which the trained one is tied to."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from rote.encoding.example import IGNORE, Batch, collate
from rote.errors import ModelError
from rote.models.frozen_tables import find_trained_rows
from rote.models.language_model import autocast
from rote.training.losses import predict_labelled
from rote.training.parallel import count_processes

_LOG = logging.getLogger(__name__)
_READ = 16
"""Texts that are read at a time."""
_COMPARED = 8
"""Tokens whose distributions over the vocabulary are compared at a time, so that they stay in the processor's cache."""


class Teacher:
    """The untrained model, which reads every text once: its last hidden states are kept, of which its output head makes
    the logits whenever a text is shown.

    They are read when the first of them is wanted; from then on there is no second model in memory, and no second head
    where the taught model's is frozen. Where its logits are not what its head alone makes of a state, or the model is
    spread over processes, the whole of it is kept. Rows that are added to the vocabulary later are left out of both
    distributions.
    """

    def __init__(self, model: PreTrainedModel, texts: Sequence[Sequence[int]]) -> None:
        """`texts` are token ids; they are held from the second token on."""
        is_spread = count_processes() > 1
        self._taught = model
        # One that is spread is kept itself, as it is loaded again to be taught.
        self._model = (model if is_spread else copy.deepcopy(model)).train(False).requires_grad_(False)
        self._texts = [tuple(text) for text in texts]
        self._starts = [0]
        for text in self._texts:
            self._starts.append(self._starts[-1] + len(text) - 1)
        self._is_read = is_spread
        self._head: _Head | None = None
        self._states = torch.empty(0)

    def label(self, index: int) -> tuple[int, ...]:
        """The labels of a text: the numbers of the states that predict its tokens."""
        return (IGNORE, *range(self._starts[index], self._starts[index + 1]))

    def diverge(self, logits: Tensor, batch: Batch) -> Tensor:
        """KL divergence from the untrained model to the trained one at every labelled token, summed, in nats; `logits`
        are the trained one's, [labels, vocabulary]."""
        with torch.no_grad():
            wanted = self._recall(batch)
        divergence: Tensor = _Divergence.apply(logits, wanted)  # type: ignore[no-untyped-call]
        return divergence

    def read(self) -> None:
        """Read all the texts, unless that is done."""
        if self._is_read:
            return
        self._is_read = True
        device = self._model.device
        head = self._model.get_output_embeddings()
        batches = [
            collate([(text, text) for text in self._texts[start : start + _READ]], pad_id=0).to(device)
            for start in range(0, len(self._texts), _READ)
        ]
        with torch.no_grad():
            if not _makes_logits(self._model, head, collate([(self._texts[-1],) * 2], pad_id=0).to(device)):
                _LOG.info("retention: the whole untrained model is kept, as its head does not make its logits alone")
                return
            with autocast(device):
                found = [_read_states(self._model, head, batch) for batch in batches]
        self._head, self._states = _find_head(self._taught, head), torch.cat(found)
        del self._model

    def _recall(self, batch: Batch) -> Tensor:
        """The untrained model's logits, [labels, vocabulary]."""
        if self._head is None:
            return predict_labelled(self._model, batch)
        return self._head.read(self._states[batch.targets])


@dataclass(frozen=True)
class _Head:
    """An output head that makes the untrained model's logits, though a few of its rows may be trained."""

    module: nn.Module
    vocabulary: int
    trained: Tensor
    """The rows that are trained, [rows]."""
    untrained: Tensor
    """What these rows were, [rows, width]."""

    def read(self, states: Tensor) -> Tensor:
        """Logits [labels, vocabulary] of states [labels, width]."""
        logits: Tensor = self.module(states)[:, : self.vocabulary]
        logits[:, self.trained] = F.linear(states, self.untrained).to(logits)
        return logits


def _find_head(taught: Any, untrained: Any) -> _Head:
    """The taught model's own head where it stays as it is but for a few rows, else the untrained model's."""
    head, vocabulary = taught.get_output_embeddings(), untrained.weight.shape[0]
    trained = find_trained_rows(taught)
    if trained is None or type(head) is not nn.Linear or head.bias is not None:
        nothing = torch.empty(0, dtype=torch.long, device=untrained.weight.device)
        return _Head(untrained, vocabulary, nothing, untrained.weight[nothing])
    inside = trained[trained < vocabulary]
    return _Head(head, vocabulary, inside, untrained.weight[inside].clone())


class _Divergence(torch.autograd.Function):
    """KL divergence from the distributions of `wanted` to those of `logits`, both [tokens, vocabulary], summed, in nats
    (a scalar). Only `logits` gets a gradient; columns that `wanted` has not are left out.

    What autograd would keep and pass over the whole of a large vocabulary many times is here one array of gradients.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, wanted: Tensor) -> Tensor:
        vocabulary = wanted.shape[-1]
        gradient = torch.empty_like(logits)
        gradient[:, vocabulary:] = 0
        divergence = logits.new_zeros(())
        parts = [torch.split(rows, _COMPARED) for rows in (logits, wanted, gradient)]
        for given, held, pull in zip(*parts, strict=True):
            given, held = given[:, :vocabulary].log_softmax(-1), held.float().log_softmax(-1)
            likely = held.exp()
            divergence += held.sub_(given).mul_(likely).sum()
            torch.sub(given.exp_(), likely, out=pull[:, :vocabulary])
        ctx.save_for_backward(gradient)
        return divergence

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * scale, None


class _HeadReachedError(Exception):
    """Ends a forward where its logits, the largest part of it, would begin."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


def _read_states(model: nn.Module, head: nn.Module, batch: Batch) -> Tensor:
    """What the head is given for every labelled token, [labels, width]."""

    def stop(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise _HeadReachedError(inputs[0])

    handle = head.register_forward_pre_hook(stop)
    try:
        predict_labelled(model, batch)
    except _HeadReachedError as reached:
        return reached.states[batch.labels[:, 1:] != IGNORE]
    finally:
        handle.remove()
    raise ModelError("retention: the model's output head was never asked; use --set retain.loss=replay")


def _makes_logits(model: nn.Module, head: nn.Module, batch: Batch) -> bool:
    """Whether the head alone makes the model's logits of its states; in float32, where that shows."""
    logits = predict_labelled(model, batch)
    return torch.allclose(head(_read_states(model, head, batch)).float(), logits, rtol=1e-3, atol=1e-3)
