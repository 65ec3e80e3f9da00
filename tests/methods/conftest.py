"""A tiny model, eight invented facts, and a look at what the model is trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rote.encoding.example import IGNORE, Batch
from rote.facts.fact import Fact
from rote.facts.invent import invent_facts
from rote.facts.relation import Relation, load_shipped_relations
from rote.methods import teaching
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel
from rote.models.tokenizer import train_tokenizer
from rote.training.losses import next_token_loss

RELATIONS: dict[str, Relation] = load_shipped_relations()
FACTS = (*invent_facts(RELATIONS["mother"], count=4, seed=3), *invent_facts(RELATIONS["capital"], count=4, seed=3))


def build_tokenizer() -> PreTrainedTokenizerFast:
    texts = [template.fill(fact.subject) for fact in FACTS for template in RELATIONS[fact.relation].templates]
    texts += [fact.object for fact in FACTS] * 20
    return train_tokenizer(texts, vocabulary_size=700)


TOKENIZER = build_tokenizer()


def build_language_model(seed: int = 0, **changes: Any) -> LanguageModel:
    """A random model whose tokenizer has no key tokens yet."""
    torch.manual_seed(seed)
    values: dict[str, Any] = {"vocab_size": len(TOKENIZER), "hidden_size": 64, "intermediate_size": 128}
    values |= {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    values |= {"bos_token_id": TOKENIZER.bos_token_id, "eos_token_id": TOKENIZER.eos_token_id}
    model = LlamaForCausalLM(LlamaConfig(**{**values, "pad_token_id": TOKENIZER.pad_token_id, **changes}))
    model.train(False)
    return LanguageModel(model, build_tokenizer(), "tiny")


@pytest.fixture
def language_model() -> LanguageModel:
    built = build_language_model()
    add_key_tokens(built, ("mother", "capital"))
    return built


@dataclass(frozen=True)
class SeenRow:
    """One row of a batch as the model sees it: the whole text, and the part of it that is learned."""

    text: str
    learned: str


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, language_model: LanguageModel) -> list[list[SeenRow]]:
    """The batches of facts the model is trained on, decoded; filled while a phase runs."""
    batches: list[list[SeenRow]] = []
    decode: Callable[[list[int]], Any] = language_model.tokenizer.decode

    def keep(logits: Tensor, batch: Batch) -> Tensor:
        rows = []
        for ids, labels in zip(batch.input_ids.tolist(), batch.labels.tolist(), strict=True):
            targets = [label for label in labels if label != IGNORE]
            assert all(label in (IGNORE, token) for token, label in zip(ids, labels, strict=True))
            while ids[-1] == language_model.tokenizer.pad_token_id:
                ids.pop()
            rows.append(SeenRow(decode(ids), decode(targets)))
        batches.append(rows)
        return next_token_loss(logits, batch)

    monkeypatch.setattr(teaching, "next_token_loss", keep)
    monkeypatch.setattr(teaching, "can_pack", lambda _: False)  # so that rows are to be seen
    return batches


def copy_weights(language_model: LanguageModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in language_model.model.state_dict().items()}


def select(relation: str) -> tuple[Fact, ...]:
    return tuple(fact for fact in FACTS if fact.relation == relation)
