"""How a model is asked to write: every setting given, as what is left open is filled in from the model's own."""

from typing import Any

from transformers import GenerationConfig, PreTrainedTokenizerBase


def build_generation_settings(
    tokenizer: PreTrainedTokenizerBase, *, tokens: int, do_sample: bool, **changes: Any
) -> GenerationConfig:
    """Settings for at most `tokens` new tokens at temperature 1, from the whole vocabulary, without penalties.

    `changes` say more of how it is searched or drawn (`num_beams`, `num_return_sequences` ...).
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
