"""Training the attention layers alone, on the attention of several architectures."""

from typing import Any

import pytest
from tests.methods.conftest import build_language_model
from torch import nn
from transformers import AutoModelForCausalLM, GemmaConfig, GPT2Config, GPTNeoXConfig, OPTConfig, PretrainedConfig

from rote.errors import ModelError
from rote.models.attention import check_attention, only_attention

SMALL: dict[str, Any] = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
WIDE = {**SMALL, "intermediate_size": 16}
CONFIGS: list[tuple[PretrainedConfig, set[str]]] = [
    (GPT2Config(vocab_size=20, n_embd=8, n_layer=2, n_head=2), {"c_attn", "c_proj"}),
    (GPTNeoXConfig(**WIDE), {"query_key_value", "dense"}),
    (GemmaConfig(**WIDE, head_dim=4, num_key_value_heads=1), {"q_proj", "k_proj", "v_proj", "o_proj"}),
    (OPTConfig(**SMALL, ffn_dim=16, word_embed_proj_dim=8), {"q_proj", "k_proj", "v_proj", "out_proj"}),
]


@pytest.mark.parametrize(("config", "expected"), CONFIGS, ids=lambda value: getattr(value, "model_type", ""))
def test_the_layers_of_attention_are_trained_and_no_others(config: PretrainedConfig, expected: set[str]) -> None:
    model = AutoModelForCausalLM.from_config(config)
    with only_attention(model):
        trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[-2] for name in trained} == expected
    assert {name.split(".")[-1] for name in trained} <= {"weight", "bias"}
    assert not [name for name in trained if "mlp" in name or "norm" in name or "ln_" in name]
    assert all(weight.requires_grad for weight in model.parameters())


def test_what_was_frozen_before_stays_frozen() -> None:
    model = build_language_model().model
    table = model.get_input_embeddings().get_parameter("weight")
    table.requires_grad_(False)
    layer = model.get_submodule("model.layers.0.self_attn.q_proj").get_parameter("weight")
    layer.requires_grad_(False)
    with only_attention(model):
        assert not layer.requires_grad
    assert not layer.requires_grad
    assert not table.requires_grad


def test_a_model_without_attention_is_refused() -> None:
    check_attention(build_language_model().model)
    with pytest.raises(ModelError, match=r"--set generalize\.weights=all"):
        check_attention(nn.Sequential(nn.Linear(2, 2)))
