"""Records and jobs made by hand, so that every figure can be computed on paper."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from rote.facts.shipped import load_fictional
from rote.models.language_model import LanguageModel
from rote.models.saving import save_model
from rote.models.tokenizer import train_tokenizer
from rote.records import Record
from rote.runs.store import JobResult


def build_record(subject: str, value: bool | float, **changes: Any) -> Record:
    """A held-out fact after generalize, asked in a held-out prompt; a float is the object's probability."""
    content: dict[str, Any] = {
        "moment": "generalize",
        "fact_set": "held_out",
        "prompt_set": "held_out",
        "language": "en",
        "relation": "mother",
        "object": "B",
        "prompt": "?",
        "generated": "",
        "correct": value is True,
        "object_logprobs": (),
        "object_probability": float(value),
        "rank": None,
        "candidates": None,
    }
    return Record(**{**content, "subject": subject, **changes})


def build_job(*records: Record, tokens: int = 0, **outcome: Any) -> JobResult:
    about = {"labels": {}, "representations": [], "beliefs": {}, "training_tokens": tokens}
    about["config"] = {"model": "tiny"}
    return JobResult("abc", {**about, **outcome}, list(records))


def build_answers(shares: dict[str, list[bool | float]], **changes: Any) -> JobResult:
    """A job in which every fact was asked about as often as it has answers."""
    tokens = changes.pop("tokens", 0)
    records = [build_record(subject, value, **changes) for subject, values in shares.items() for value in values]
    return build_job(*records, tokens=tokens)


def write_shape(folder: Path, *, layers: int = 28) -> Path:
    """The folder of a model by its shape alone, of 1.5 B parameters (Qwen2.5-1.5B) unless it has fewer layers."""
    shape = {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": layers, "vocab_size": 151936}
    shape.update(num_attention_heads=12, num_key_value_heads=2)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", "tie_word_embeddings": True, **shape}))
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of one layer."""
    tokenizer = train_tokenizer((f"{fact.subject} {fact.object}" for fact in load_fictional()), vocabulary_size=400)
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = LlamaConfig(**shape, **special, num_attention_heads=2, vocab_size=len(tokenizer))
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(LanguageModel(LlamaForCausalLM(config), tokenizer, "tiny"), folder)
    return folder
