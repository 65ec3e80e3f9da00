"""A tiny random model, and a table of twelve invented facts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from rote.facts.fact import FactTable
from rote.facts.invent import invent_table
from rote.facts.relation import load_shipped_relations
from rote.models.language_model import LanguageModel
from rote.models.saving import save_model
from rote.models.tokenizer import train_tokenizer
from rote.runs.reporting import Advance

RELATIONS = load_shipped_relations()


def build_table() -> FactTable:
    return invent_table([RELATIONS["mother"], RELATIONS["capital"]], count=6, seed=3)


class RecordingReporter:
    """Keeps the names of the steps."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        self.labels.append(label)
        yield lambda done, total, note: None


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was taught nothing."""
    templates = [template.text for name in ("mother", "capital", "rival") for template in _list_templates(name)]
    names = [f"{fact.subject} {fact.object}" for fact in build_table()]
    tokenizer = train_tokenizer(templates + names * 5, vocabulary_size=900)
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model = LlamaForCausalLM(LlamaConfig(**shape, **special, num_attention_heads=2, vocab_size=900))
    folder = tmp_path_factory.mktemp("base") / "model"
    save_model(LanguageModel(model, tokenizer, "tiny"), folder)
    return folder


def _list_templates(name: str) -> tuple[Any, ...]:
    return RELATIONS[name].templates if name in RELATIONS else ()
