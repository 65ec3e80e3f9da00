"""What the untrained model says about the retained texts, which the trained one is tied to."""

import copy
import logging
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from rote.encoding.example import IGNORE, Batch, collate
from rote.errors import ModelError
from rote.models.language_model import autocast
from rote.training.losses import predict_labelled
from rote.training.parallel import count_processes

_LOG = logging.getLogger(__name__)
_READ = 16
"""Texts that are read at a time."""


class Teacher:
    """The untrained model, which reads every text once: its last hidden states are kept, of which its output head makes
    the logits whenever a text is shown.

    They are read when the first of them is wanted; from then on there is no second model in memory. Where its logits
    are not what its head alone makes of a state, or the model is spread over processes, the whole of it is kept. Rows
    that are added to the vocabulary later are left out of both distributions.
    """

    def __init__(self, model: PreTrainedModel, texts: Sequence[Sequence[int]]) -> None:
        """`texts` are token ids; they are held from the second token on."""
        is_spread = count_processes() > 1
        # One that is spread is kept itself, as it is loaded again to be taught.
        self._model = (model if is_spread else copy.deepcopy(model)).train(False).requires_grad_(False)
        self._texts = [tuple(text) for text in texts]
        self._starts = [0]
        for text in self._texts:
            self._starts.append(self._starts[-1] + len(text) - 1)
        self._is_read = is_spread
        self._head: nn.Module | None = None
        self._states = torch.empty(0)

    def label(self, index: int) -> tuple[int, ...]:
        """The labels of a text: the numbers of the states that predict its tokens."""
        return (IGNORE, *range(self._starts[index], self._starts[index + 1]))

    def diverge(self, logits: Tensor, batch: Batch) -> Tensor:
        """KL divergence from the untrained model to the trained one at every labelled token, summed, in nats; `logits`
        are the trained one's, [labels, vocabulary]."""
        with torch.no_grad():
            wanted = self._recall(batch).log_softmax(-1)
        return F.kl_div(logits[:, : wanted.shape[-1]].log_softmax(-1), wanted, log_target=True, reduction="sum")

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
        self._head, self._states = copy.deepcopy(head), torch.cat(found)
        del self._model

    def _recall(self, batch: Batch) -> Tensor:
        """The untrained model's logits, [labels, vocabulary]."""
        if self._head is None:
            return predict_labelled(self._model, batch)
        logits: Tensor = self._head(self._states[batch.targets])
        return logits.float()


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
