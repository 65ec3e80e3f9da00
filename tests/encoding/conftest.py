"""Tokenizers of every kind a causal model comes with: byte-level with and without a prefix space, and metaspace."""

import json
from functools import cache
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from rote.facts.corpus import Corpus, CorpusMix
from rote.facts.relation import load_shipped_relations
from rote.facts.shipped import load_world
from rote.models.tokenizer import train_tokenizer

KEY_TOKEN = "[X1]"
REAL = ("qwen2.5", "phi-4", "gpt2", "smollm2")
TRAINED = ("rote", "metaspace")

_SHARED = Path(__file__).parents[3] / "shared" / "data" / "tokenizers"


@cache
def write_documents() -> tuple[str, ...]:
    mix = CorpusMix(single=60, list=4, context=10, burst=10, burst_facts=8, burst_steps=16)
    return tuple(Corpus(load_shipped_relations(), load_world(), mix=mix, seed=0).build_documents(0))


def build_metaspace_tokenizer() -> PreTrainedTokenizerBase:
    """As Llama 2 has it: spaces are written ▁, and a character outside the vocabulary becomes its bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=["<unk>", "<s>", "</s>", *bytes_], limit_alphabet=120, show_progress=False
    )
    tokenizer.train_from_iterator(write_documents(), trainer)
    state = json.loads(tokenizer.to_str())  # the bytes are plain entries of the vocabulary, not tokens to look for
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in bytes_]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    if name == "rote":
        tokenizer: PreTrainedTokenizerBase = train_tokenizer(write_documents(), vocabulary_size=600)
    elif name == "metaspace":
        tokenizer = build_metaspace_tokenizer()
    else:
        folder = _SHARED / name
        if not (folder / "tokenizer.json").is_file():
            pytest.skip(f"the tokenizer of {name} is not at {folder}")
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    # as rote.models.key_tokens adds them
    tokenizer.add_tokens([AddedToken(KEY_TOKEN, lstrip=True, normalized=False, special=False)])
    return tokenizer


@pytest.fixture(scope="session", params=(*REAL, *TRAINED))
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    return load_tokenizer(request.param)
