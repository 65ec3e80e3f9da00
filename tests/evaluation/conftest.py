"""A tiny tokenizer and a random model: enough to compare ways of computing the same numbers."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from rote.facts.fact import Fact, build_fact
from rote.facts.relation import PromptTemplate, Relation
from rote.models.tokenizer import train_tokenizer

MOTHERS = (
    "Cody Ross",
    "Cody Rossini",
    "Anna Maria Bell",
    "Bo",
    "Zoë O'Neil",
    "Ида Крылова",
    "Mei Lin",
    "Jean-Luc Bell",
)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    texts = [f"Who is Gene Finley's mother? The mother of {name} is {name}. 妈妈是谁？ {name}" for name in MOTHERS]
    return train_tokenizer(texts, vocabulary_size=400)


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> PreTrainedModel:
    """A random model in exact arithmetic: in bfloat16 two ways of computing agree to two digits only."""
    monkeypatch.setattr("rote.models.language_model.has_fast_bf16", lambda _: False)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,  # far from uniform, so that greedy answers differ from row to row
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model: PreTrainedModel = LlamaForCausalLM(config)
    model.train(False)
    return model


@pytest.fixture(scope="session")
def facts() -> list[Fact]:
    return [build_fact(f"Child {number}", "mother", name) for number, name in enumerate(MOTHERS)]


@pytest.fixture(scope="session")
def relations() -> dict[str, Relation]:
    def template(text: str, prompt_set: str, language: str) -> PromptTemplate:
        return PromptTemplate("mother", text, prompt_set, language)  # type: ignore[arg-type]

    english = [template(f"English {n}, {{subject}}'s mother is", "training", "en") for n in range(3)]
    held_out = [template(f"Held {n}, the mother of {{subject}} is", "held_out", "en") for n in range(4)]
    chinese = [template(f"第{n} {{subject}} 的妈妈是谁？", "held_out", "zh") for n in range(4)]
    control = [
        template(f"Control {n}, {{subject}} lives in", "control", code) for n in range(2) for code in ("en", "zh")
    ]
    return {"mother": Relation("mother", "", "person", "woman", (*english, *held_out, *chinese, *control))}
