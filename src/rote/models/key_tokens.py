"""Key tokens: one new, meaningless token per relation (paper, section 3)."""

import torch
from tokenizers import AddedToken
from torch import Tensor

from rote.errors import ModelError
from rote.models.language_model import LanguageModel

_NOISE = 0.1
"""Spread of a new row around the mean of all rows, as a share of theirs."""


def add_key_tokens(
    language_model: LanguageModel, relations: tuple[str, ...], *, pattern: str = "[X{number}]", seed: int = 0
) -> None:
    """Give every relation a key token, adding rows to the embeddings.

    A new row starts as the mean of all rows plus a little noise, so that it means nothing and no two are equal; with
    tied embeddings it is the same row on both sides. Relations that have a key token already keep it.
    """
    missing = [relation for relation in relations if relation not in language_model.key_tokens]
    for relation in missing:
        token = pattern.format(number=len(language_model.key_tokens) + 1)
        if token in language_model.tokenizer.get_vocab():
            raise ModelError(
                f"the key token {token!r} is in the model's vocabulary already; choose another --set key_token="
            )
        # lstrip: the space before it belongs to it, so what stands before has the tokens it always has.
        added = AddedToken(token, lstrip=True, normalized=False, special=False)
        language_model.tokenizer.add_tokens([added])
        language_model.key_tokens[relation] = token
    if missing:
        _add_rows(language_model, [language_model.key_tokens[relation] for relation in missing], seed=seed)


def get_key_rows(language_model: LanguageModel) -> Tensor:
    """A copy of the input embeddings of all key tokens, [keys, width]."""
    ids = language_model.tokenizer.convert_tokens_to_ids(list(language_model.key_tokens.values()))
    return _get_tables(language_model)[0][ids].detach().clone()


def check_keys_moved(language_model: LanguageModel, before: Tensor) -> None:
    """Raise `ModelError` if training left a key token's row as it was (frozen embeddings, a row nobody trains)."""
    unmoved = (get_key_rows(language_model) == before).all(dim=-1)
    names = [token for token, still in zip(language_model.key_tokens.values(), unmoved, strict=True) if still]
    if names:
        raise ModelError(f"training did not move the embedding of {', '.join(names)}; are the embeddings frozen?")


def _get_tables(language_model: LanguageModel) -> list[Tensor]:
    """The embedding tables, [vocabulary, width]: the input's, and the output's where it is not the same one."""
    model = language_model.model
    modules = (model.get_input_embeddings(), model.get_output_embeddings())  # type: ignore[no-untyped-call]
    tables = [module.get_parameter("weight") for module in modules if module is not None]
    return list({id(table): table for table in tables}.values())


@torch.no_grad()
def _add_rows(language_model: LanguageModel, tokens: list[str], *, seed: int) -> None:
    tokenizer = language_model.tokenizer
    rows = _get_tables(language_model)[0].shape[0]
    if len(tokenizer) > rows:  # a vocabulary padded beyond the tokenizer may have room already
        language_model.model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    ids = [tokenizer.get_vocab()[token] for token in tokens]
    for table in _get_tables(language_model):
        noise = torch.randn(len(ids), table.shape[1], generator=torch.Generator().manual_seed(seed)).to(table)
        known = table[: min(rows, *ids)]
        table[ids] = known.mean(dim=0) + _NOISE * known.std(dim=0) * noise
