"""Key tokens: one meaningless token per relation (paper, section 3)."""

import re
from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import AddedToken
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from rote.config.teaching import KeyStrategy
from rote.errors import ModelError
from rote.models.language_model import LanguageModel

_RESERVED = re.compile(r"[<\[](.*[^a-z])?(unused|reserved|extra|placeholder|dummy|row)([^a-z].*)?[>\]]", re.IGNORECASE)
_NOISE = 0.1
"""Spread of a new row around the mean of all rows, as a share of theirs."""


def add_key_tokens(
    language_model: LanguageModel,
    relations: tuple[str, ...],
    *,
    pattern: str = "[X{number}]",
    seed: int = 0,
    strategy: KeyStrategy = "new",
) -> None:
    """Give every relation a key token. Relations that have one already keep it.

    `new` adds a token and its rows to the embeddings, `reserved` takes an id that the vocabulary holds for no text,
    and `existing` writes the pattern with the tokens there are, so that nothing about the model changes. A row of
    its own starts as the mean of all rows plus a little noise, so that it means nothing and no two are equal; with
    tied embeddings it is the same row on both sides. Raises `ModelError` where a token is taken, or none is reserved.
    """
    missing = [relation for relation in relations if relation not in language_model.key_tokens]
    if not missing:
        return
    tokens = pick_key_tokens(language_model, len(missing), pattern=pattern, strategy=strategy)
    language_model.key_strategy = strategy
    language_model.key_tokens.update(zip(missing, tokens, strict=True))
    if strategy != "existing":
        _add_tokens(language_model, tokens)
        make_room_for_keys(language_model)
        _start_rows(language_model, tokens, seed=seed)


def pick_key_tokens(language_model: LanguageModel, count: int, *, pattern: str, strategy: KeyStrategy) -> list[str]:
    """The next `count` key tokens, without adding them. Raises `ModelError` as `add_key_tokens` does."""
    if count and language_model.key_tokens and strategy != language_model.key_strategy:
        raise ModelError(
            f"{language_model.source}: was taught with other key tokens; go on with --set "
            f"key_strategy={language_model.key_strategy}"
        )
    first = len(language_model.key_tokens) + 1
    tokens = [pattern.format(number=number) for number in range(first, first + count)]
    known = {*language_model.tokenizer.get_vocab(), *language_model.key_tokens.values()}
    for token in tokens:
        if token in known:
            raise ModelError(
                f"the key token {token!r} is in the model's vocabulary already, or two relations share it; choose "
                "another, with {number} in it: --set 'key_token=[K{number}]'"
            )
        known.add(token)
    return _reserve(language_model, tokens) if strategy == "reserved" else tokens


def looks_reserved(token: str) -> bool:
    """Whether a token was set aside for no text, such as `<|reserved_special_token_3|>`, or is a row without a name."""
    return _RESERVED.fullmatch(token) is not None


def make_room_for_keys(language_model: LanguageModel) -> None:
    """Add rows to the embeddings where a key token has none. A tokenizer may have entries beyond the rows that are no
    key (Gemma 3 has one, for pictures), and there may be rows beyond the tokenizer: neither changes the shape."""
    ids = get_key_ids(language_model, language_model.key_tokens)
    if ids and max(ids) >= find_key_tables(language_model)[0].shape[0]:
        language_model.model.resize_token_embeddings(max(ids) + 1, mean_resizing=False)


def get_key_ids(language_model: LanguageModel, relations: Iterable[str]) -> list[int]:
    """The ids of the key tokens of some relations; none where they are written with tokens of ordinary text."""
    if language_model.key_strategy == "existing":
        return []
    vocabulary = language_model.tokenizer.get_vocab()
    return [vocabulary[language_model.key_tokens[relation]] for relation in relations]


def get_key_rows(language_model: LanguageModel, relations: Iterable[str]) -> Tensor:
    """A copy of the input embeddings of the key tokens of some relations, [relations, width]; empty where no row is
    theirs alone."""
    ids = torch.tensor(get_key_ids(language_model, relations), dtype=torch.long, device=language_model.device)
    model: Any = language_model.model
    spread = next((part for part in model.modules() if isinstance(part, FSDPModule)), None)  # over several processes
    if spread:
        spread.unshard()
    with torch.no_grad():  # asked as the model does it: adapters keep what they change of a row elsewhere
        rows: Tensor = model.get_input_embeddings()(ids).clone()
    if spread:
        spread.reshard()
    return rows


def check_keys_moved(language_model: LanguageModel, relations: Iterable[str], before: Tensor) -> None:
    """Raise `ModelError` if training left a key token's row as it was (frozen embeddings, a row nobody trains)."""
    relations = list(relations)
    unmoved = (get_key_rows(language_model, relations) == before).all(dim=-1)
    names = [language_model.key_tokens[relation] for relation, still in zip(relations, unmoved, strict=False) if still]
    if names:
        raise ModelError(f"training did not move the embedding of {', '.join(names)}; are the embeddings frozen?")


def find_key_tables(language_model: LanguageModel) -> list[Tensor]:
    """The tables with the key rows, [vocabulary, width]: the input's, and the output's where it is not the same one."""
    model = language_model.model
    modules = (model.get_input_embeddings(), model.get_output_embeddings())  # type: ignore[no-untyped-call]
    tables = [module.get_parameter("weight") for module in modules if module is not None]
    return list({id(table): table for table in tables}.values())


def _add_tokens(language_model: LanguageModel, tokens: list[str]) -> None:
    # lstrip: the space before it belongs to it, so what stands before has the tokens it always has.
    known = language_model.tokenizer.get_vocab()
    added = [AddedToken(token, lstrip=True, normalized=False, special=False) for token in tokens if token not in known]
    language_model.tokenizer.add_tokens(added)


def _reserve(language_model: LanguageModel, names: list[str]) -> list[str]:
    """Tokens that stand for no text, the first ones; `names` for rows beyond the tokenizer where it has none."""
    tokenizer, taken = language_model.tokenizer, set(language_model.key_tokens.values())
    rows = find_key_tables(language_model)[0].shape[0]
    free = [
        token.content
        for number, token in sorted(tokenizer.added_tokens_decoder.items())
        # one that swallows the space after it would leave the object to begin inside it
        if number < rows and looks_reserved(token.content) and not token.rstrip and token.content not in taken
    ]
    if len(free) >= len(names):
        return free[: len(names)]
    if len(tokenizer) + len(names) <= rows:
        return names
    raise ModelError(
        f"{language_model.source}: its vocabulary has no {len(names)} unused ids; add tokens with "
        "--set key_strategy=new, or write the keys with ordinary tokens: --set key_strategy=existing"
    )


@torch.no_grad()
def _start_rows(language_model: LanguageModel, tokens: list[str], *, seed: int) -> None:
    vocabulary = language_model.tokenizer.get_vocab()
    ids = [vocabulary[token] for token in tokens]
    keys = set(get_key_ids(language_model, language_model.key_tokens))
    for table in find_key_tables(language_model):
        others = sorted(number for number in {*vocabulary.values()} - keys if number < len(table))
        # Drawn for all keys, those of earlier calls included, so that no two keys have the same noise.
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(len(language_model.key_tokens), table.shape[1], generator=generator)[-len(ids) :].to(table)
        known = table[others]
        table[ids] = known.mean(dim=0) + _NOISE * known.std(dim=0) * noise
