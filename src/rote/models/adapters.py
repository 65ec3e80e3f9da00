"""Low-rank adapters (extra `lora`): adding them to a model, merging them into it, saving and loading them alone.

Adapters are put on every linear layer; the rows of the key tokens are trained beside them, on both sides of a model
whose embeddings are not tied, and on the one table of a model whose are.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from rote.config.teaching import LoraConfig
from rote.errors import ConfigError
from rote.models.key_tokens import get_key_ids
from rote.models.language_model import (
    SAFE,
    LanguageModel,
    LoadOptions,
    load_model,
    load_rote_file,
    read_base,
    write_rote_file,
)
from rote.runs.files import replace_folder


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


def save_adapters(language_model: LanguageModel, folder: Path) -> None:
    """Write the adapters and the tokenizer, without the base model, whole or not at all."""
    adapted: Any = language_model.model
    for config in adapted.peft_config.values():  # peft has put there what the model was called when it was loaded
        config.base_model_name_or_path = _name_base(language_model.source)
    with replace_folder(folder) as target:
        adapted.save_pretrained(target, save_embedding_layers=False)  # the key rows are with the adapters
        language_model.tokenizer.save_pretrained(target)
        write_rote_file(language_model, target)


def load_adapters(folder: Path, options: LoadOptions = SAFE, *, device: str | None = None) -> LanguageModel:
    """The base model with the adapters of a folder merged into it. Raises `ModelError` where either is missing."""
    peft = import_peft()
    language_model = load_model(read_base(folder), options, device=device)
    tokenizer = type(language_model.tokenizer).from_pretrained(folder)
    model: Any = language_model.model
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    language_model.tokenizer = tokenizer
    load_rote_file(folder, language_model)
    language_model.model = peft.PeftModel.from_pretrained(model, folder)
    merge_adapters(language_model)
    language_model.model.train(False)
    language_model.source = str(folder)
    return language_model


def import_peft() -> Any:
    """The library. Raises `ConfigError` where it is missing."""
    try:
        import peft
    except ImportError as error:
        raise ConfigError("lora needs peft; install it with: pip install 'rote[lora]'") from error
    return peft


def _name_base(source: str) -> str:
    """The base model as it is found from any folder of this machine, or on the hub."""
    return str(Path(source).resolve()) if Path(source).is_dir() else source


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
