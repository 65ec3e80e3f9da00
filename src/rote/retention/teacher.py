"""What the untrained model says about the retained texts, which the trained one is tied to."""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from rote.encoding.example import IGNORE, Batch, collate
from rote.models.language_model import autocast
from rote.training.losses import predict_labelled
from rote.training.parallel import count_processes

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

    def diverge(self, model: nn.Module, batch: Batch) -> Tensor:
        """KL divergence from the untrained model to the trained one at every labelled token, summed, in nats."""
        given, numbers = predict_labelled(model, batch)
        with torch.no_grad():
            wanted = self._recall(batch, numbers).log_softmax(-1)
        return F.kl_div(given[:, : wanted.shape[-1]].log_softmax(-1), wanted, log_target=True, reduction="sum")

    def read(self) -> None:
        """Read all the texts, unless that is done."""
        if self._is_read:
            return
        self._is_read = True
        device = self._model.device
        head = self._model.get_output_embeddings()
        found: list[Tensor] = []
        with torch.no_grad(), autocast(device):
            for start in range(0, len(self._texts), _READ):
                rows = [(text, text) for text in self._texts[start : start + _READ]]
                states, logits = _read_states(self._model, head, collate(rows, pad_id=0).to(device))
                if not found and not torch.allclose(head(states).float(), logits, rtol=1e-3, atol=1e-3):
                    return
                found.append(states)
        self._head, self._states = copy.deepcopy(head), torch.cat(found)
        del self._model

    def _recall(self, batch: Batch, numbers: Tensor) -> Tensor:
        """The untrained model's logits, [labels, vocabulary]."""
        if self._head is None:
            return predict_labelled(self._model, batch)[0]
        logits: Tensor = self._head(self._states[numbers])
        return logits.float()


def _read_states(model: nn.Module, head: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """What the head is given for every labelled token, [labels, width], and the logits, [labels, vocabulary]."""
    given: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        logits, _ = predict_labelled(model, batch)
    finally:
        handle.remove()
    return given[0][batch.labels[:, 1:] != IGNORE], logits
