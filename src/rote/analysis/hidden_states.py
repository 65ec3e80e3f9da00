"""The hidden states of a causal model at the end of a prompt: where what it is about to say is decided."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel


def read_hidden_states(
    model: PreTrainedModel,
    prompts_ids: Sequence[Sequence[int]],
    *,
    layers: Sequence[int] | None = None,
    batch_size: int = 32,
) -> NDArray[np.float32]:
    """The states at the last token of each prompt, [prompts, layers + 1, width], in the order of the prompts.

    Layer 0 is the embeddings; the last one is what the output head reads, after the final norm. `layers` keeps only
    those, in that order: [prompts, len(layers), width]. Prompts are read without padding, in batches of one length, so
    a state does not depend on the prompts beside it. Raises `ValueError` without prompts or for one without tokens,
    `IndexError` for a layer the model does not have.
    """
    if not prompts_ids or not all(prompts_ids):
        raise ValueError("hidden states need prompts, each of at least one token")
    states: NDArray[np.float32] | None = None
    was_training = model.training
    model.train(False)
    try:
        for batch in _plan_batches([len(ids) for ids in prompts_ids], batch_size):
            read = _read_batch(model, [prompts_ids[index] for index in batch], layers)
            if states is None:  # made once the number of layers is known, so that all states are held only once
                states = np.empty((len(prompts_ids), *read.shape[1:]), dtype=np.float32)
            states[batch] = read
    finally:
        model.train(was_training)
    assert states is not None
    return states


def _plan_batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of at most `batch_size`, all of one length."""
    for length in sorted(set(lengths)):
        group = [index for index, other in enumerate(lengths) if other == length]
        yield from (group[start : start + batch_size] for start in range(0, len(group), batch_size))


@torch.inference_mode()
def _read_batch(
    model: PreTrainedModel, prompts_ids: Sequence[Sequence[int]], layers: Sequence[int] | None
) -> NDArray[np.float32]:
    """The last states of prompts of one length; only these leave the device."""
    inputs = torch.tensor([list(ids) for ids in prompts_ids], device=model.device)
    hidden = model(input_ids=inputs, output_hidden_states=True, use_cache=False, logits_to_keep=1).hidden_states
    kept = hidden if layers is None else [hidden[layer] for layer in layers]
    states: NDArray[np.float32] = torch.stack([state[:, -1].float() for state in kept], dim=1).cpu().numpy()
    return states
