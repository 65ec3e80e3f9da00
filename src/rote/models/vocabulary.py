"""Taking the key tokens out again: the vocabulary of the base model, for those who serve the taught one."""

import json
from typing import Any

import torch
from tokenizers import Tokenizer

from rote.models.key_tokens import find_key_tables, get_key_ids
from rote.models.language_model import LanguageModel, load_model


@torch.no_grad()
def remove_key_tokens(language_model: LanguageModel) -> None:
    """Give a taught model the vocabulary and the embedding rows its base model had; in place.

    Tokens that were added are dropped with their rows, which must be the last ones. The row of a reserved token
    becomes what it was in the base model, which is loaded for it.
    """
    ids = get_key_ids(language_model, language_model.key_tokens)
    model: Any = language_model.model
    if language_model.key_strategy == "reserved":
        base = load_model(language_model.source)
        for table, original in zip(find_key_tables(language_model), find_key_tables(base), strict=True):
            table[ids] = original[ids].to(table)
        language_model.tokenizer = base.tokenizer
    elif ids:
        rows = find_key_tables(language_model)[0].shape[0]
        if max(ids) == rows - 1:  # a padded vocabulary held them without growing
            model.resize_token_embeddings(min(ids), mean_resizing=False)
        _drop_tokens(language_model, set(language_model.key_tokens.values()))
    language_model.key_tokens = {}


def _drop_tokens(language_model: LanguageModel, tokens: set[str]) -> None:
    tokenizer: Any = language_model.tokenizer
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] not in tokens]
    options = {name: getattr(tokenizer, name) for name in ("bos_token", "eos_token", "unk_token", "pad_token")}
    language_model.tokenizer = type(tokenizer)(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        chat_template=tokenizer.chat_template,
        model_max_length=tokenizer.model_max_length,
        **options,
    )
