"""Prompts read once, to go on from: in batches of neighbours by length, padded on the left.

A padded row is computed as it would be alone, to rounding: padding is masked, and positions count from the first real
token. A model that cannot be read so (found by trying it) reads prompts of one length together, without padding.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

_TRIED = ((5, 6, 7, 8), (8, 9), (6, 9, 8))
"""Prompts by which it is found whether a model can read a padded batch."""
_PADS: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


@dataclass
class Prefix:
    """A batch of prompts after the model has read them, and what was read after them.

    `logits` [rows, vocabulary] predict the token that follows each row; `mask` [rows, tokens] is 0 where a row is
    padded, None where none is.
    """

    model: PreTrainedModel
    cache: DynamicCache
    logits: Tensor
    mask: Tensor | None

    def read(self, tokens: Tensor) -> Tensor:
        """Read further tokens, [rows, tokens]; the logits after each of them, [rows, tokens, vocabulary]."""
        options: dict[str, Any] = {}
        if self.mask is not None:
            self.mask = torch.cat([self.mask, torch.ones_like(tokens)], dim=1)
            options = _place(self.mask, tokens.shape[1])
        logits: Tensor = self.model(input_ids=tokens, past_key_values=self.cache, use_cache=True, **options).logits
        self.logits = logits[:, -1]
        return logits

    def select(self, rows: Tensor) -> None:
        """Keep these rows alone."""
        self.cache.reorder_cache(rows)  # type: ignore[arg-type]  # every kind of layer has it; it asks for a LongTensor
        self.logits = self.logits[rows]
        if self.mask is not None:
            self.mask = self.mask[rows]

    def copy(self) -> "Prefix":
        """The same, to go on from in another way."""
        return Prefix(self.model, copy.deepcopy(self.cache), self.logits, self.mask)


def plan_batches(lengths: Sequence[int], batch_size: int, *, pad: bool = False) -> Iterator[list[int]]:
    """Indices in batches of at most `batch_size`, neighbours by length, or all of one length unless rows may be padded;
    a function of its arguments alone."""
    groups: dict[int, list[int]] = {}
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        groups.setdefault(0 if pad else lengths[index], []).append(index)
    for group in groups.values():
        yield from (group[start : start + batch_size] for start in range(0, len(group), batch_size))


def plan_reading(model: PreTrainedModel, prompts_ids: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Indices of prompts in batches that a model can read. Whether it can be padded is tried where that matters."""
    lengths = [len(ids) for ids in prompts_ids]
    return plan_batches(lengths, batch_size, pad=len(set(lengths)) > 1 and can_pad(model))


def read_prompts(model: PreTrainedModel, prompts_ids: Sequence[Sequence[int]]) -> Prefix:
    """Read prompts; those of a model that cannot be padded (`can_pad`) must have one length."""
    inputs, mask = pad_left(prompts_ids, model.device)
    is_padded = not bool(mask.all())
    options: dict[str, Any] = _place(mask, inputs.shape[1]) if is_padded else {}
    cache = DynamicCache(config=model.config)
    logits = model(input_ids=inputs, past_key_values=cache, use_cache=True, logits_to_keep=1, **options).logits
    return Prefix(model, cache, logits[:, -1], mask if is_padded else None)


def pad_left(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """The ids and their mask, both [rows, length of the longest]."""
    width = max(map(len, rows))
    ids = [[*[0] * (width - len(row)), *row] for row in rows]
    mask = [[*[0] * (width - len(row)), *[1] * len(row)] for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _place(mask: Tensor, tokens: int) -> dict[str, Tensor]:
    """The mask, and the positions of the last tokens in it."""
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return {"attention_mask": mask, "position_ids": positions[:, -tokens:]}


def can_pad(model: PreTrainedModel) -> bool:
    """Whether a model reads padded prompts as it reads each alone; tried once for a model."""
    if model not in _PADS:
        _PADS[model] = _try_padding(model)
    return _PADS[model]


@torch.inference_mode()
def _try_padding(model: PreTrainedModel) -> bool:
    was_training = model.training
    model.train(False)
    try:
        padded, alone = _read_twice(model, _TRIED), [_read_twice(model, [ids]) for ids in _TRIED]
    except (TypeError, ValueError):  # it takes no positions
        return False
    finally:
        model.train(was_training)
    wanted = torch.cat(alone)
    return bool((padded - wanted).abs().max() <= 1e-4 * wanted.abs().max())


def _read_twice(model: PreTrainedModel, prompts_ids: Sequence[Sequence[int]]) -> Tensor:
    """The logits after each prompt and one more token, the rows in turn."""
    prefix = read_prompts(model, prompts_ids)
    prefix.select(torch.arange(len(prompts_ids), device=model.device))
    return prefix.read(torch.full((len(prompts_ids), 1), _TRIED[0][0], device=model.device))[:, -1]
