"""Tiny models, batches of random ids and plans over them."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from rote.encoding.example import IGNORE, Batch, collate
from rote.training.loop import LoopPlan, Term
from rote.training.losses import next_token_loss
from rote.training.optimizer import OptimizerSettings

VOCABULARY = 40
STEPS = 5

Row = tuple[list[int], list[int]]


def build_model(*, seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**{"vocab_size": VOCABULARY, **shape, **heads, **changes}))


def build_rows(seed: int, lengths: Sequence[int] = (5, 9, 7, 12)) -> list[Row]:
    """Rows of random ids; the first third of each row has no labels."""
    rng = random.Random(seed)
    ids = [[rng.randrange(VOCABULARY) for _ in range(length)] for length in lengths]
    return [(row, [*[IGNORE] * (len(row) // 3), *row[len(row) // 3 :]]) for row in ids]


def build_batch(seed: int) -> Batch:
    return collate(build_rows(seed), pad_id=0)


def build_terms(step: int) -> list[Term]:
    """Two terms, as facts and retained texts are."""
    batches = [build_batch(2 * step), build_batch(2 * step + 1)]
    return [Term(batch, next_token_loss, 0.5 / batch.target_count) for batch in batches]


def build_plan(steps: int = STEPS, **changes: Any) -> LoopPlan:
    return LoopPlan(**{"steps": steps, "build_terms": build_terms, **changes})


def build_settings(**changes: Any) -> OptimizerSettings:
    values = {"learning_rate": 1e-2, "warmup_steps": 2, "weight_decay": 0.1, **changes}
    return OptimizerSettings(**values)


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def have_same_weights(model: nn.Module, weights: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    state = model.state_dict()
    return state.keys() == weights.keys() and all(torch.equal(state[name], weights[name]) for name in weights)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Float32 throughout: in bfloat16 two ways of computing agree to two digits only."""
    monkeypatch.setattr("rote.models.language_model.has_fast_bf16", lambda _: False)
