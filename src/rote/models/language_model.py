"""`LanguageModel`: a causal LM with its tokenizer and key tokens; in which arithmetic it is trained, how it is asked to
write.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from rote.config.teaching import KeyStrategy
from rote.errors import ModelError


@dataclass
class LanguageModel:
    """A model, its tokenizer, where it came from and the key token of each relation it was taught.

    Raises `ModelError` unless every weight is float32 (updates as small as those of teaching are lost in bfloat16),
    the tokenizer is a fast one, which tells where each token begins, and it has an end-of-text token.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: str
    key_tokens: dict[str, str] = field(default_factory=dict)
    key_strategy: KeyStrategy = "new"
    shown: frozenset[str] = frozenset()
    """The hashes of the facts that generalize showed, by Rote's own runs so far (`hash_fact`)."""
    tokenizer_folder: Path | None = None
    """Where the tokenizer's files were read; one that nothing was added to is saved as a copy of them."""

    def __post_init__(self) -> None:
        found = {str(weight.dtype).removeprefix("torch.") for weight in self.model.parameters()} - {"float32"}
        if found:
            raise ModelError(
                f"{self.source}: has weights in {', '.join(sorted(found))}, in which small updates are lost; convert "
                "them with model.float(), or load the model with dtype=torch.float32"
            )
        if not self.tokenizer.is_fast:
            raise ModelError(
                f"{self.source}: needs a fast tokenizer (tokenizer.json), which tells where each token begins"
            )
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                f"{self.source}: its tokenizer has no end-of-text token; set eos_token in tokenizer_config.json"
            )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device


@cache
def has_fast_bf16(device_type: str) -> bool:
    """Whether bfloat16 arithmetic is in the hardware; emulated bfloat16 on a CPU is far slower than float32."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device_type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 autocast where the hardware has it; weights and their updates stay float32."""
    if has_fast_bf16(device.type):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def describe_precision(device: torch.device) -> str:
    """The format of the arithmetic in training, for the manifest."""
    return "bfloat16 autocast over float32 weights" if has_fast_bf16(device.type) else "float32"


def build_generation_settings(
    tokenizer: PreTrainedTokenizerBase, *, tokens: int, do_sample: bool, **changes: Any
) -> GenerationConfig:
    """Settings for at most `tokens` new tokens at temperature 1, from the whole vocabulary, without penalties.

    Every setting is given, as what is left open is filled in from the model's own. `changes` say more of how it is
    searched or drawn (`num_beams`, `num_return_sequences` ...).
    """
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    settings: dict[str, Any] = {
        "max_new_tokens": tokens,
        "temperature": 1.0,
        "do_sample": do_sample,
        "top_k": 0 if do_sample else 50,  # where nothing is drawn, all but the usual 50 is warned about
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": pad,
    }
    return GenerationConfig(**settings, **changes)  # type: ignore[no-untyped-call]
