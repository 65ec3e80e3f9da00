"""What is written as GGUF is read back as the same model."""

from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from tests.models.conftest import build_language_model
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from rote.errors import ModelError
from rote.models.gguf import read_gguf
from rote.models.gguf_writing import KINDS, check_kinds, write_gguf
from rote.models.language_model import LanguageModel
from rote.models.loading import count_parameters, load_model
from rote.models.tokenizer import train_tokenizer

SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
TEXTS = ["Who is Gene Finley's mother? Cody Ross"] * 3
PROMPTS = ("Who is Gene Finley's mother?", "Gene, 12 Ross", "¿Quién es 妈妈?")


def build_byte_level() -> PreTrainedTokenizerBase:
    return train_tokenizer(TEXTS, vocabulary_size=400)


def build_with_fallback() -> PreTrainedTokenizerBase:
    """As Gemma's: spaces are a sign of their own, and what is no token is written byte by byte."""
    names = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{number:02X}>" for number in range(256))]
    letters = [*"abcdefghijklmnopqrstuvwxyzFGRWC'?,12", "▁"]
    merges = [("o", "t"), ("ot", "h"), ("oth", "e"), ("othe", "r"), ("s", "s"), ("▁", "i")]
    tokens = [*names, *letters, *("".join(pair) for pair in merges)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    built = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    built.normalizer = normalizers.Replace(" ", "▁")
    built.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    built.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=built, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )


def build_llama(vocabulary: int, **changes: Any) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **SHAPE | changes))


def build_qwen2(vocabulary: int) -> PreTrainedModel:
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=vocabulary, **SHAPE))


def build_qwen3(vocabulary: int) -> PreTrainedModel:
    return Qwen3ForCausalLM(Qwen3Config(vocab_size=vocabulary, head_dim=128, **SHAPE))


def build_gemma3(vocabulary: int) -> PreTrainedModel:
    return Gemma3ForCausalLM(Gemma3TextConfig(vocab_size=vocabulary, head_dim=256, **SHAPE))


MODELS = {
    "llama": (build_llama, build_byte_level),
    "llama, tied": (lambda vocabulary: build_llama(vocabulary, tie_word_embeddings=True), build_byte_level),
    "qwen2": (build_qwen2, build_byte_level),
    "qwen3": (build_qwen3, build_byte_level),
    "gemma3": (build_gemma3, build_with_fallback),
}


def build(name: str) -> LanguageModel:
    build_model, build_tokenizer = MODELS[name]
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    model = build_model(len(tokenizer))
    with torch.no_grad():
        for weight in model.parameters():  # vectors too differ, and sixteen bits hold them all
            weight.add_(0.1 * torch.randn_like(weight)).copy_(weight.half())
    model.train(False)
    return LanguageModel(model, tokenizer, name)


@torch.no_grad()
def answer(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=torch.tensor([ids])).logits
    return logits


@pytest.mark.parametrize("name", MODELS)
def test_a_file_of_sixteen_bits_is_the_same_model(name: str, tmp_path: Path) -> None:
    language_model = build(name)
    write_gguf(language_model, tmp_path / "model.gguf", "f16")
    read, tokenizer = read_gguf(tmp_path / "model.gguf")
    for prompt in PROMPTS:
        ids = language_model.tokenizer(prompt)["input_ids"]
        assert tokenizer(prompt)["input_ids"] == ids
        torch.testing.assert_close(answer(read, ids), answer(language_model.model, ids), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("kind", "error"), [("q8_0", 0.01), ("q4_0", 0.15)])
def test_fewer_bits_are_near_it_and_no_more_than_near(kind: Any, error: float, tmp_path: Path) -> None:
    language_model = build("llama")
    write_gguf(language_model, tmp_path / "model.gguf", kind)
    read, _ = read_gguf(tmp_path / "model.gguf")
    name = "model.layers.0.mlp.down_proj.weight"
    wanted, found = language_model.model.state_dict()[name], read.state_dict()[name]
    assert 0 < (found - wanted).norm() / wanted.norm() < error


def test_rows_that_are_no_whole_blocks_keep_sixteen_bits(tmp_path: Path) -> None:
    tokenizer = build_byte_level()
    model = build_llama(len(tokenizer), intermediate_size=72)
    model.half().float()
    write_gguf(LanguageModel(model, tokenizer, "odd"), tmp_path / "model.gguf", "q4_0")
    read, _ = read_gguf(tmp_path / "model.gguf")
    name = "model.layers.0.mlp.down_proj.weight"
    torch.testing.assert_close(read.state_dict()[name], model.state_dict()[name], atol=0, rtol=0)


def test_what_cannot_be_written_is_told_how_else(tmp_path: Path) -> None:
    tokenizer = build_byte_level()
    other = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2))
    with pytest.raises(ModelError, match=r"m: a model of type gpt2 is not .*convert_hf_to_gguf\.py FOLDER --outfile"):
        write_gguf(LanguageModel(other, tokenizer, "m"), tmp_path / "a.gguf", "f16")
    language_model = build_language_model()
    language_model.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ModelError, match=r"it is not known how llama\.cpp cuts a text as this tokenizer does \(Whites"):
        write_gguf(language_model, tmp_path / "b.gguf", "f16")
    scaled = build_llama(len(tokenizer), rope_scaling={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0})
    with pytest.raises(ModelError, match=r"m: its positions are scaled \(linear\)"):
        write_gguf(LanguageModel(scaled, tokenizer, "m"), tmp_path / "c.gguf", "f16")
    gemma = build("gemma3")
    gemma.model.config.query_pre_attn_scalar = 32
    with pytest.raises(ModelError, match=r"gemma3: its attention is scaled by 32 where llama\.cpp takes 256"):
        write_gguf(gemma, tmp_path / "d.gguf", "f16")
    assert not list(tmp_path.iterdir())


def test_number_formats_are_named() -> None:
    assert check_kinds(["q4_0", " f16", "q4_0"]) == ["q4_0", "f16"]
    assert check_kinds(KINDS) == list(KINDS)
    with pytest.raises(
        ModelError, match="--quantize q5: is no number format that is written here; there are f16, q8_0"
    ):
        check_kinds(["q8_0", "q5"])


def test_a_file_that_says_it_has_layers_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(build("llama"), path, "f16")
    field = gguf.GGUFReader(path, "r+").get_field("llama.block_count")
    assert field is not None
    field.parts[field.data[0]][0] = 1_000_000
    for read in (load_model, count_parameters):
        with pytest.raises(ModelError, match=r"1,000,000 layers, .*: rote --limit layers=NUMBER"):
            read(str(path))
