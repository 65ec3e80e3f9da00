"""States read in a batch are those of each prompt alone."""

import numpy as np
import pytest
import torch
from tests.models.conftest import build_llama, build_tokenizer
from transformers import PreTrainedModel

from rote.analysis.hidden_states import read_hidden_states

PROMPTS = [[5, 6, 7], [9], [5, 6, 8], [11, 12, 13, 14, 15], [7, 6, 5]]


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return build_llama(build_tokenizer())


def test_a_prompt_has_the_same_states_alone_as_among_others(model: PreTrainedModel) -> None:
    states = read_hidden_states(model, PROMPTS, batch_size=2)

    assert states.shape == (len(PROMPTS), model.config.num_hidden_layers + 1, model.config.hidden_size)
    assert states.dtype == np.float32
    for prompt, row in zip(PROMPTS, states, strict=True):
        np.testing.assert_allclose(row, read_hidden_states(model, [prompt])[0], rtol=1e-5, atol=1e-5)


def test_the_states_are_those_the_model_computes_at_the_last_token(model: PreTrainedModel) -> None:
    with torch.no_grad():
        output = model(torch.tensor([PROMPTS[3]]), output_hidden_states=True)
    states = read_hidden_states(model, [PROMPTS[3]])[0]

    np.testing.assert_allclose(states, np.stack([layer[0, -1].numpy() for layer in output.hidden_states]), atol=1e-5)
    np.testing.assert_allclose(model.lm_head(torch.tensor(states[-1])).detach(), output.logits[0, -1], atol=1e-4)


def test_only_the_layers_asked_for_are_kept(model: PreTrainedModel) -> None:
    every = read_hidden_states(model, PROMPTS)

    np.testing.assert_array_equal(read_hidden_states(model, PROMPTS, layers=[2, 0]), every[:, [2, 0]])
    with pytest.raises(IndexError):
        read_hidden_states(model, PROMPTS, layers=[3])


def test_the_mode_of_the_model_comes_back_and_no_gradient_is_left(model: PreTrainedModel) -> None:
    model.train(True)
    read_hidden_states(model, PROMPTS)

    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    model.train(False)


@pytest.mark.parametrize("prompts", [[], [[1], []]])
def test_a_prompt_needs_tokens(model: PreTrainedModel, prompts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        read_hidden_states(model, prompts)
