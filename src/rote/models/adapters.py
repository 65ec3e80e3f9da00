"""Low-rank adapters (extra `lora`): adding them to a model and merging them into it.

Adapters are put on every linear layer; the rows of the key tokens are trained beside them, on both sides of a model
whose embeddings are not tied, and on the one table of a model whose are.
"""

from typing import Any

import torch
from torch import nn

from rote.config.teaching import LoraConfig
from rote.errors import ConfigError
from rote.models.key_tokens import get_key_ids
from rote.models.language_model import LanguageModel


def add_adapters(language_model: LanguageModel, settings: LoraConfig, *, seed: int) -> None:
    """Put fresh adapters on a model; from then on they and the key rows are all that training changes.

    Raises `ConfigError` where peft is missing.
    """
    peft = import_peft()
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules="all-linear",
        trainable_token_indices=_find_key_rows(language_model),
        task_type="CAUSAL_LM",
        fan_in_fan_out=_has_transposed_weights(language_model.model),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # fresh adapters are random: the same ones, whatever was done before
        language_model.model = peft.get_peft_model(language_model.model, config).train(False)


def merge_adapters(language_model: LanguageModel) -> None:
    """Add the adapters into the weights, so that the model is a plain one again, all of it trainable."""
    adapted: Any = language_model.model
    language_model.model = adapted.merge_and_unload().requires_grad_(True)


def import_peft() -> Any:
    """The library. Raises `ConfigError` where it is missing."""
    try:
        import peft
    except ImportError as error:
        raise ConfigError("lora needs peft; install it with: pip install -e '.[lora]'") from error
    return peft


def _find_key_rows(language_model: LanguageModel) -> dict[str, list[int]] | None:
    """The key rows to be trained, by the name of the table they are in."""
    ids = get_key_ids(language_model, language_model.key_tokens)
    if not ids:
        return None
    model: Any = language_model.model
    tables = [model.get_input_embeddings()]
    if not model.config.tie_word_embeddings:
        tables.append(model.get_output_embeddings())
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(table)]: ids for table in tables}


def _has_transposed_weights(model: nn.Module) -> bool:
    """Whether its linear layers are those of GPT-2, which keep their weights the other way round."""
    return any(type(module).__name__ == "Conv1D" for module in model.modules())
