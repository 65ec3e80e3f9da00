"""The models that benchmarks run on, and the arithmetic they run in."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import rote
from rote.models import language_model as arithmetic
from rote.models.language_model import LanguageModel

MODELS = ("rote-tiny", "llama-135m")


def build_model(name: str) -> LanguageModel:
    """A model with a key token for every relation of the fictional table."""
    model = rote.load_model("rote-tiny")
    if name == "llama-135m":
        model = rote.wrap(_build_llama(), model.tokenizer)
    rote.add_key_tokens(model, rote.load_fictional().relations)
    return model


def _build_llama() -> LlamaForCausalLM:
    """Random weights in the shape of SmolLM2-135M: what it says means nothing, what it costs is the same."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=49152,
            hidden_size=576,
            intermediate_size=1536,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=2,
        )
    )


@contextmanager
def in_float32() -> Iterator[None]:
    """Train in float32 wherever this runs, as the others are told to: two ways of computing then agree."""
    with patch.object(arithmetic, "has_fast_bf16", lambda _: False):
        yield
