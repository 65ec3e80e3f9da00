"""Prompts of several lengths read in one batch: each as it would be read alone."""

from typing import Any

import pytest
import torch
from tests.training.test_packing import KINDS, build
from transformers import PreTrainedModel

from rote.evaluation.reading import can_pad, plan_batches, read_prompts

PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 6, 5, 7], [6], [7, 7, 5, 9]]
MORE = torch.tensor([[8, 5], [6, 6], [9, 7], [5, 5]])


HYBRID: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "num_hidden_layers": 2,
    "layer_types": ["conv", "full_attention"],
}
"""A model of which one layer carries a state along."""


class Blind(torch.nn.Module):
    """A part that lets every position see the mean of all, padding too."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states + states.mean(dim=1, keepdim=True)


@pytest.fixture(params=[*KINDS, "Lfm2"])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    model = build(request.param, {**KINDS, "Lfm2": HYBRID}[request.param])
    model.train(False)
    return model


@torch.inference_mode()
def test_a_padded_row_is_what_it_is_alone_and_stays_so_as_it_goes_on(model: PreTrainedModel) -> None:
    assert can_pad(model)
    together = read_prompts(model, PROMPTS)
    assert together.mask is not None
    first, later = together.logits, together.copy().read(MORE)
    together.select(torch.tensor([3, 0]))
    chosen = together.read(MORE[[3, 0]])
    for row, ids in enumerate(PROMPTS):
        alone = read_prompts(model, [ids])
        assert alone.mask is None
        assert torch.allclose(first[row], alone.logits[0], atol=1e-5)
        assert torch.allclose(later[row], alone.read(MORE[row : row + 1])[0], atol=1e-5)
    assert torch.allclose(chosen, later[[3, 0]], atol=1e-5)
    assert torch.equal(together.logits, chosen[:, -1])


def test_a_model_that_sees_padding_is_found_out() -> None:
    model = build("Llama", KINDS["Llama"])
    model.model.layers[0].mlp.down_proj = torch.nn.Sequential(model.model.layers[0].mlp.down_proj, Blind())
    assert not can_pad(model)
    assert model.training, "left as it was"


def test_batches_are_neighbours_by_length_or_of_one_length_and_lose_nobody() -> None:
    lengths = [3, 5, 3, 4, 3, 5]
    padded, plain = (list(plan_batches(lengths, 4, pad=pad)) for pad in (True, False))
    assert padded == [[0, 2, 4, 3], [1, 5]]
    assert plain == [[0, 2, 4], [3], [1, 5]]
