"""`LanguageModel`: a causal LM with its tokenizer and key tokens; loading it and saving it.

`load_model("rote-tiny")` gives the embedded model; anything else is a folder, or the name of a model on the hub,
that `AutoModelForCausalLM` loads.
"""

import difflib
import json
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar, get_verbosity, set_verbosity

from rote.errors import ModelError
from rote.models.embedded import EMBEDDED_NAME, locate_embedded_model
from rote.runs.files import replace_folder

_ROTE_FILE = "rote.json"

disable_progress_bar()  # type: ignore[no-untyped-call]  # progress is shown by whoever calls


@dataclass
class LanguageModel:
    """A model in float32, its tokenizer, where it came from and the key token of each relation it was taught."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: str
    key_tokens: dict[str, str] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device


def load_model(source: str = EMBEDDED_NAME) -> LanguageModel:
    """Load a model by name or folder, on CUDA where there is one. Raises `ModelError` when it cannot be."""
    check_model(source)
    path = find_model_folder(source)
    is_local = _exists(path)
    where = str(path) if is_local else source
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
        model = _load_weights(where)
    except Exception as error:  # what a folder that is damaged or no model raises is anything
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"{source}: cannot be loaded as a causal language model ({reason}); give a folder with config.json, "
            f"safetensors weights and a tokenizer, the name of one on the Hugging Face hub, or {EMBEDDED_NAME}"
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(f"{source}: needs a fast tokenizer (tokenizer.json), which tells where each token begins")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)  # type: ignore[arg-type]  # the wrapper of transformers hides torch's overloads
    model.train(False)
    return LanguageModel(model, tokenizer, source, _load_key_tokens(path, tokenizer))


def check_model(source: str) -> None:
    """Raise `ModelError` for what can be no model: a folder that is not there, or a misspelt name of ours."""
    path = find_model_folder(source)
    if _exists(path):
        _check_folder(path)
        return
    looks_local = source.startswith((".", "/", "~")) or source.count("/") > 1
    if looks_local or ("/" in source and path.parent.is_dir()):
        raise ModelError(
            f"{source}: there is no such folder; give the folder of a model, its name on the hub, or {EMBEDDED_NAME}"
        )
    if difflib.get_close_matches(source, [EMBEDDED_NAME]):
        raise ModelError(f"{source}: there is no such model; did you mean {EMBEDDED_NAME}?")


def find_model_folder(source: str) -> Path:
    """The folder a model is loaded from; one that does not exist stands for a name on the hub."""
    return locate_embedded_model() if source == EMBEDDED_NAME else Path(source)


def save_model(language_model: LanguageModel, folder: Path) -> None:
    """Write a folder that plain `transformers` loads, whole or not at all."""
    with replace_folder(folder) as target:
        language_model.model.save_pretrained(target)
        language_model.tokenizer.save_pretrained(target)
        content = {"base_model": language_model.source, "key_tokens": language_model.key_tokens}
        (target / _ROTE_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # unlike Path.exists, this does not raise for a name no path can have


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise ModelError(f"{path}: is a file; --model takes the folder of a model")
    if not (path / "config.json").is_file():
        raise ModelError(f"{path}: is not a model folder (it has no config.json)")


def _load_weights(where: str) -> PreTrainedModel:
    """Load a model whose weights are all there; `transformers` would put random ones in the place of others."""
    verbosity = get_verbosity()
    set_verbosity(logging.ERROR)  # the table it prints is said in one line below
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True, output_loading_info=True
        )
    finally:
        set_verbosity(verbosity)
    model, found = loaded
    wrong = sorted({*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})
    if wrong:
        raise ValueError(f"{len(wrong)} weights are missing or have another shape than config.json says: {wrong[0]}")
    return cast(PreTrainedModel, model)


def _load_key_tokens(path: Path, tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    file = path / _ROTE_FILE
    if not file.is_file():
        return {}
    try:
        key_tokens = dict(json.loads(file.read_text(encoding="utf-8"))["key_tokens"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file}: is damaged; delete it to load the model without its key tokens") from error
    for token in key_tokens.values():
        if token not in tokenizer.get_vocab():
            raise ModelError(
                f"{file}: names the key token {token!r}, which the tokenizer does not have; delete the file to load "
                "the model without its key tokens"
            )
    return key_tokens
