"""Taking the key tokens out again: the vocabulary of the base model, for those who serve the taught one."""

from typing import Any

import torch

from rote.models.key_tokens import find_key_tables, get_key_ids
from rote.models.language_model import LanguageModel


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
    language_model.tokenizer = base.tokenizer
    language_model.key_tokens, language_model.key_strategy = dict(base.key_tokens), base.key_strategy
