"""Key tokens: one new, meaningless token per relation (paper, section 3)."""

from collections.abc import Iterable

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
    first = len(language_model.key_tokens) + 1
    tokens = [pattern.format(number=number) for number in range(first, first + len(missing))]
    known = {*language_model.tokenizer.get_vocab(), *language_model.key_tokens.values()}
    for token in tokens:  # all are checked before the first is added
        if token in known:
            raise ModelError(
                f"the key token {token!r} is in the model's vocabulary already, or two relations share it; choose "
                "another, with {number} in it: --set 'key_token=[K{number}]'"
            )
        known.add(token)
    # lstrip: the space before it belongs to it, so what stands before has the tokens it always has.
    added = [AddedToken(token, lstrip=True, normalized=False, special=False) for token in tokens]
    language_model.tokenizer.add_tokens(added)
    language_model.key_tokens.update(zip(missing, tokens, strict=True))
    if missing:
        _add_rows(language_model, tokens, seed=seed)


def get_key_rows(language_model: LanguageModel, relations: Iterable[str]) -> Tensor:
    """A copy of the input embeddings of the key tokens of some relations, [relations, width]."""
    tokens = [language_model.key_tokens[relation] for relation in relations]
    ids = language_model.tokenizer.convert_tokens_to_ids(tokens)
    return find_key_tables(language_model)[0][ids].detach().clone()


def check_keys_moved(language_model: LanguageModel, relations: Iterable[str], before: Tensor) -> None:
    """Raise `ModelError` if training left a key token's row as it was (frozen embeddings, a row nobody trains)."""
    relations = list(relations)
    unmoved = (get_key_rows(language_model, relations) == before).all(dim=-1)
    names = [language_model.key_tokens[relation] for relation, still in zip(relations, unmoved, strict=True) if still]
    if names:
        raise ModelError(f"training did not move the embedding of {', '.join(names)}; are the embeddings frozen?")


def find_key_tables(language_model: LanguageModel) -> list[Tensor]:
    """The tables with the key rows, [vocabulary, width]: the input's, and the output's where it is not the same one."""
    model = language_model.model
    modules = (model.get_input_embeddings(), model.get_output_embeddings())  # type: ignore[no-untyped-call]
    tables = [module.get_parameter("weight") for module in modules if module is not None]
    return list({id(table): table for table in tables}.values())


@torch.no_grad()
def _add_rows(language_model: LanguageModel, tokens: list[str], *, seed: int) -> None:
    tokenizer = language_model.tokenizer
    rows = find_key_tables(language_model)[0].shape[0]
    if len(tokenizer) > rows:  # a vocabulary padded beyond the tokenizer may have room already
        language_model.model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    ids = [tokenizer.get_vocab()[token] for token in tokens]
    for table in find_key_tables(language_model):
        # Drawn for all keys, those of earlier calls included, so that no two keys have the same noise.
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(len(language_model.key_tokens), table.shape[1], generator=generator)[-len(ids) :].to(table)
        known = table[: min(rows, *ids)]
        table[ids] = known.mean(dim=0) + _NOISE * known.std(dim=0) * noise
