"""Writing a model as a GGUF file: the weights under the names, in the order and in the number formats of llama.cpp.

Llama, Qwen 2, Qwen 3 and Gemma 3 alone. A tokenizer that llama.cpp would read otherwise is refused.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.errors import ModelError
from rote.models.language_model import LanguageModel

GgufKind = Literal["f16", "q8_0", "q4_0"]
_GEMMA_NORMALIZER = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
"""The one way to write spaces for which it was seen that llama.cpp gives the same tokens."""
KINDS: tuple[GgufKind, ...] = get_args(GgufKind)
"""Number formats of the weights; 16, about 8 and about 4 bits each."""
_ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma3_text": "gemma3"}
"""The names of llama.cpp, by `model_type`."""
_CUT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CUTS = {_CUT % r"\p{N}": "qwen2", _CUT % r"\p{N}{1,3}": "llama-bpe"}
"""What llama.cpp calls the way a text is cut into words, by the regex that does it."""


def write_gguf(language_model: LanguageModel, file: Path, kind: GgufKind) -> None:
    """Write a model and its tokenizer as one file; `gguf` must be installed (`check_gguf`).

    In `q4_0` embeddings and the output head are `q8_0`, as they lose most; a matrix whose rows cannot be cut into
    blocks is `f16`, and vectors stay float32. Raises `ModelError` for an architecture or a tokenizer that cannot be
    written so.
    """
    import gguf

    config = language_model.model.config
    architecture = _find_architecture(language_model)
    words = _read_words(language_model)
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name(Path(language_model.source).name)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind.upper()}"])
    _add_shape(writer, config, architecture)
    _add_tokenizer(writer, words, language_model.tokenizer)
    for name, weight in _name_weights(language_model.model, architecture):
        data, form = _quantize(name, weight, kind)
        writer.add_tensor(name, data, raw_dtype=form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_kinds(names: Iterable[str]) -> list[GgufKind]:
    """The number formats of these names, each once. Raises `ModelError` for a name that none has."""
    wanted = list(dict.fromkeys(name.strip() for name in names))
    kinds = [kind for name in wanted for kind in KINDS if kind == name]
    if len(kinds) < len(wanted):
        unknown = next(name for name in wanted if name not in KINDS)
        raise ModelError(
            f"--quantize {unknown}: is no number format that is written here; there are {', '.join(KINDS)}"
        )
    return kinds


def begins_with_space(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a tokenizer puts a space before a text, which llama.cpp leaves to whoever writes the prompt."""
    step = json.loads(tokenizer.backend_tokenizer.to_str())["pre_tokenizer"] or {}
    return any(
        part.get("type") == "ByteLevel" and part["add_prefix_space"] for part in step.get("pretokenizers", [step])
    )


def _find_architecture(language_model: LanguageModel) -> str:
    kind = str(language_model.model.config.model_type)
    if kind not in _ARCHITECTURES:
        raise ModelError(
            f"{language_model.source}: a model of type {kind} is not written as GGUF here, only "
            f"{', '.join(_ARCHITECTURES)}; write it with rote export model RUN --out FOLDER and convert it with "
            "llama.cpp: python convert_hf_to_gguf.py FOLDER --outfile FILE.gguf --outtype q8_0"
        )
    fault = _find_fault(language_model.model.config)
    if fault:
        raise ModelError(
            f"{language_model.source}: {fault}, which is not written as GGUF here; convert the folder of rote export "
            "model with convert_hf_to_gguf.py of llama.cpp"
        )
    return _ARCHITECTURES[kind]


def _find_fault(config: Any) -> str | None:
    """What llama.cpp would compute otherwise, as nothing in a file says it."""
    rope = config.rope_parameters
    scaling = rope.get("full_attention", rope)["rope_type"]
    if scaling != "default":
        return f"its positions are scaled ({scaling})"
    scale, size = getattr(config, "query_pre_attn_scalar", None), _find_head_size(config)
    if scale not in (None, size):
        return f"its attention is scaled by {scale} where llama.cpp takes {size}"
    return None


def _find_head_size(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _add_shape(writer: Any, config: Any, architecture: str) -> None:
    heads = config.num_attention_heads
    size = _find_head_size(config)
    rope = config.rope_parameters
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_vocab_size(config.vocab_size)
    if architecture == "llama":
        writer.add_rope_dimension_count(size)
    if architecture == "gemma3":
        writer.add_sliding_window(config.sliding_window)


@dataclass(frozen=True)
class _Words:
    """A tokenizer as llama.cpp keeps it: a token and its kind, of a `llama` one its score too, for each embedding."""

    model: str
    pre: str
    tokens: list[str]
    kinds: Sequence[int]
    merges: list[str]
    scores: list[float] | None


def _read_words(language_model: LanguageModel) -> _Words:
    import gguf

    tokenizer, rows = language_model.tokenizer, language_model.model.config.vocab_size
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    model = state["model"]
    if model["type"] != "BPE":
        raise ModelError(
            f"{language_model.source}: its tokenizer is of type {model['type']}; only BPE is written as GGUF"
        )
    by_id = {number: token for token, number in model["vocab"].items()}
    special = {token["id"]: token for token in state["added_tokens"]}
    tokens: list[str] = []
    kinds: list[int] = []
    for number in range(rows):
        added = special.get(number)
        token = added["content"] if added else by_id.get(number)
        if token is None:
            tokens.append(f"[PAD{number}]")
            kinds.append(gguf.TokenType.UNUSED)
            continue
        tokens.append(token)
        kinds.append(_find_kind(token, added, is_byte=bool(model.get("byte_fallback"))))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    if model.get("byte_fallback"):
        if state["normalizer"] != _GEMMA_NORMALIZER:
            raise ModelError(
                f"{language_model.source}: it is not known how llama.cpp reads a text as this tokenizer does; "
                "convert the folder of rote export model with convert_hf_to_gguf.py of llama.cpp"
            )
        # The first merge that makes a token decides when: the sooner, the higher its score.
        scores = {"".join(pair): -float(rank) for rank, pair in reversed(list(enumerate(model["merges"])))}
        found = [scores.get(token, -float(len(merges))) for token in tokens]
        return _Words("llama", "default", tokens, kinds, [], found)
    return _Words("gpt2", _find_cut(language_model.source, state), tokens, kinds, merges, None)


def _find_kind(token: str, added: dict[str, Any] | None, *, is_byte: bool) -> int:
    from gguf import TokenType

    if added:
        return TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    if is_byte and len(token) == 6 and token.startswith("<0x"):
        return TokenType.BYTE
    return TokenType.NORMAL


def _find_cut(source: str, state: dict[str, Any]) -> str:
    """What llama.cpp calls the way this tokenizer cuts a text into words."""
    step = state["pre_tokenizer"] or {}
    parts = step.get("pretokenizers", [step])
    kinds = [part.get("type") for part in parts]
    if state["normalizer"] in (None, {"type": "NFC"}):  # prompts are NFC already, by the rules of tables and packs
        if kinds == ["ByteLevel"] and parts[0]["use_regex"]:
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and parts[0]["individual_digits"] and parts[1]["use_regex"]:
            return "smollm"
        regex = parts[0].get("pattern", {}).get("Regex")
        if kinds == ["Split", "ByteLevel"] and regex in _CUTS and not parts[1]["use_regex"]:
            return _CUTS[regex]
    raise ModelError(
        f"{source}: it is not known how llama.cpp cuts a text as this tokenizer does ({', '.join(map(str, kinds))}); "
        "convert the folder of rote export model with convert_hf_to_gguf.py of llama.cpp"
    )


def _add_tokenizer(writer: Any, words: _Words, tokenizer: PreTrainedTokenizerBase) -> None:
    writer.add_tokenizer_model(words.model)
    writer.add_tokenizer_pre(words.pre)
    writer.add_token_list(words.tokens)
    writer.add_token_types(list(words.kinds))
    if words.scores is not None:
        writer.add_token_scores(words.scores)
    writer.add_add_space_prefix(words.scores is None and begins_with_space(tokenizer))
    if words.merges:
        writer.add_token_merges(words.merges)
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(number)
    writer.add_add_bos_token(tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id)
    writer.add_add_eos_token(False)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _name_weights(model: PreTrainedModel, architecture: str) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights by the names of llama.cpp, as it computes with them; a tied head is left out."""
    import gguf

    config: Any = model.config
    number = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(number, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for full, weight in model.state_dict().items():
        if full == "lm_head.weight" and config.tie_word_embeddings:
            continue
        name = names.get_name(full, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise ModelError(f"llama.cpp has no name for the weight {full} of a {architecture} model")
        kind = full.split(".")[-2]
        if architecture == "llama" and kind in heads:
            weight = _interleave(weight, heads[kind])
        if architecture == "gemma3" and full.endswith("norm.weight"):
            weight = weight + 1  # transformers adds it when it computes
        yield name, weight


def _interleave(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """The rows [heads * size, ...] of each head in pairs: transformers turns the first half against the second, and
    llama.cpp neighbours."""
    return weight.reshape(heads, 2, -1, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def _quantize(name: str, weight: torch.Tensor, kind: GgufKind) -> tuple[np.ndarray[Any, Any], Any]:
    import gguf

    data = weight.detach().to("cpu", torch.float32).numpy()
    form = gguf.GGMLQuantizationType[_choose_form(name, data.shape, kind).upper()]
    return gguf.quants.quantize(data, form), form


def _choose_form(name: str, shape: tuple[int, ...], kind: GgufKind) -> str:
    if len(shape) == 1:
        return "f32"
    if kind != "f16" and shape[-1] % 32:
        return "f16"
    return "q8_0" if kind == "q4_0" and name.startswith(("token_embd", "output.")) else kind
