"""Saving a model so that plain `transformers` loads it: whole, as adapters alone, or without its key tokens."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from rote.errors import ModelError, RunError
from rote.models.embedded import EMBEDDED_NAME
from rote.models.key_tokens import find_key_tables, get_key_ids
from rote.models.language_model import LanguageModel
from rote.models.loading import ROTE_FILE, SAFE, LoadOptions, find_model_folder, load_model
from rote.models.older_readers import suit_older_readers
from rote.models.verification import take_fingerprint, verify_folder
from rote.runs.files import replace_folder

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "*.model",  # tokenizer.model, spiece.model ... of sentencepiece
    "tekken.json",
)


def save_model(language_model: LanguageModel, folder: Path) -> None:
    """Write a folder that plain `transformers` loads, of version 4 too, whole or not at all.

    A tokenizer to which nothing was added is saved as the very files it was read from.
    """
    with replace_folder(folder) as target:
        language_model.model.save_pretrained(target)
        _save_tokenizer(language_model, target)
        _write_rote_file(language_model, target)
        suit_older_readers(target)


def save_adapters(language_model: LanguageModel, folder: Path) -> None:
    """Write the adapters and the tokenizer, without the base model, whole or not at all."""
    adapted: Any = language_model.model
    for config in adapted.peft_config.values():  # peft has put there what the model was called when it was loaded
        config.base_model_name_or_path = _name_base(language_model.source)
    with replace_folder(folder) as target:
        adapted.save_pretrained(target, save_embedding_layers=False)  # the key rows are with the adapters
        _save_tokenizer(language_model, target)
        _write_rote_file(language_model, target)
        suit_older_readers(target)


def export_model(
    taught: Path, out: Path, prompts: Sequence[str], *, base: str, options: LoadOptions = SAFE
) -> dict[str, float | int]:
    """Write a taught model with the vocabulary of its base model: the key tokens are taken out again.

    `base` is loaded as `options` say. Returns the proof of a fresh process that is asked the prompts. Raises `RunError`
    where `out` is taken, and `ModelError` where a model cannot be loaded or the fresh process answers otherwise.
    """
    check_free(out)
    language_model = load_restored(taught, base=base, options=options)
    save_model(language_model, out)
    try:
        return verify_folder(out, prompts, take_fingerprint(language_model, prompts), options)
    except ModelError:
        shutil.rmtree(out)
        raise


def load_restored(taught: Path, *, base: str, options: LoadOptions = SAFE) -> LanguageModel:
    """A taught model with the vocabulary of its base model, which is loaded as `options` say.

    Raises `ModelError` where either cannot be loaded.
    """
    language_model = load_model(str(taught), replace(options, revision=None))
    restore_vocabulary(language_model, load_model(base, options))
    return language_model


def check_free(out: Path) -> None:
    """Raise `RunError` where a new folder would take the place of something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"--out {out}: is there already; name another folder")


@torch.no_grad()
def restore_vocabulary(language_model: LanguageModel, base: LanguageModel) -> None:
    """Give a taught model the tokenizer of its base model, and as many rows; in place.

    Rows that were added are dropped; a key's row that was there before becomes what it was.
    """
    added = [name for name in language_model.key_tokens if name not in base.key_tokens]
    ids = get_key_ids(language_model, added)
    rows = find_key_tables(base)[0].shape[0]
    model: Any = language_model.model
    if find_key_tables(language_model)[0].shape[0] != rows:
        model.resize_token_embeddings(rows, mean_resizing=False)
    old = [number for number in ids if number < rows]
    for table, original in zip(find_key_tables(language_model), find_key_tables(base), strict=True):
        table[old] = original[old].to(table)
    language_model.tokenizer, language_model.tokenizer_folder = base.tokenizer, base.tokenizer_folder
    language_model.key_tokens, language_model.key_strategy = dict(base.key_tokens), base.key_strategy
    language_model.source = base.source


def _save_tokenizer(language_model: LanguageModel, target: Path) -> None:
    folder, tokenizer = language_model.tokenizer_folder, language_model.tokenizer
    if folder is None or not _reads_as(folder, tokenizer):
        tokenizer.save_pretrained(target)
        return
    for pattern in _TOKENIZER_FILES:
        for file in folder.glob(pattern):
            shutil.copyfile(file, target / file.name)


def _reads_as(folder: Path, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the files of a folder give this very tokenizer."""
    try:
        read = AutoTokenizer.from_pretrained(folder)
    except Exception:  # whatever is wrong with the files, they are not this tokenizer's
        return False
    return _describe_tokenizer(read) == _describe_tokenizer(tokenizer)


def _describe_tokenizer(tokenizer: PreTrainedTokenizerBase) -> tuple[Any, ...]:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    whole = {key: value for key, value in state.items() if key not in ("padding", "truncation")}  # as last asked for
    return whole, tokenizer.special_tokens_map, tokenizer.chat_template


def _write_rote_file(language_model: LanguageModel, folder: Path) -> None:
    """Say in a model's folder where it comes from and what its key tokens are."""
    content = {
        "base_model": language_model.source,
        "key_tokens": language_model.key_tokens,
        "key_strategy": language_model.key_strategy,
        "shown": sorted(language_model.shown),
    }
    (folder / ROTE_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def _name_base(source: str) -> str:
    """The base model as it is found from any folder of this machine, or on the hub."""
    place = find_model_folder(source)
    return str(place.resolve()) if source != EMBEDDED_NAME and place.exists() else source
