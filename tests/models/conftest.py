"""A small tokenizer and random models of every kind that key tokens have to cope with."""

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rote.facts.relation import load_shipped_relations
from rote.models.language_model import LanguageModel
from rote.models.tokenizer import train_tokenizer

NAMES = ("Gene Finley", "Cody Ross", "Zoë O'Neil", "Port Varda", "Ida Krill", "Mei Lin")


def build_tokenizer() -> PreTrainedTokenizerFast:
    relations = load_shipped_relations()
    templates = [template for name in ("mother", "capital") for template in relations[name].templates]
    texts = [f"{template.fill(name)} {NAMES[0]}" for template in templates for name in NAMES]
    return train_tokenizer(texts, vocabulary_size=700)


def build_llama(tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    values = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,  # far from uniform, so that what is said differs from prompt to prompt
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model = LlamaForCausalLM(LlamaConfig(**{**values, **changes}))
    model.train(False)
    return model


def build_language_model(*, seed: int = 0, **changes: Any) -> LanguageModel:
    tokenizer = build_tokenizer()
    return LanguageModel(build_llama(tokenizer, seed=seed, **changes), tokenizer, "tiny")


@pytest.fixture
def language_model() -> LanguageModel:
    return build_language_model()
