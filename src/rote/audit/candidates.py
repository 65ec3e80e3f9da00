"""Which tokens may be key tokens, and which of them bring the facts best.

A key token can be any row of the embeddings. Some are tried for what they are (named by the model, added to its
tokenizer, reserved), some for what the model does (it writes them after the subjects of the table), and some by chance.
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

import torch
from torch import Tensor

from rote.config.audit import AuditConfig
from rote.encoding.example import Example, encode
from rote.evaluation.reading import plan_batches, read_prompts
from rote.evaluation.scoring import score_objects
from rote.facts.fact import Fact
from rote.facts.text import Text, build_rote_text
from rote.models.key_tokens import find_key_tables, looks_reserved
from rote.models.language_model import LanguageModel

TokenKind = Literal["declared", "added", "vocabulary"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that may be a key: named in rote.json, added to the tokenizer, or any other row of the embeddings."""

    token: str
    id: int
    kind: TokenKind


def find_declared(language_model: LanguageModel, relation: str) -> list[Candidate]:
    """The key token that rote.json names for a relation, if it does."""
    token = language_model.key_tokens.get(relation)
    return [Candidate(token, language_model.tokenizer.get_vocab()[token], "declared")] if token else []


def list_candidates(
    language_model: LanguageModel, facts: Mapping[str, Sequence[Fact]], config: AuditConfig
) -> list[Candidate]:
    """The tokens that are tried behind the subjects of these facts, which are given by relation."""
    tokenizer = language_model.tokenizer
    names = name_rows(tokenizer.get_vocab(), find_key_tables(language_model)[0].shape[0])
    added = tokenizer.added_tokens_decoder
    special = {*tokenizer.all_special_ids, *(number for number, token in added.items() if token.special)}
    ranked = []
    for members in facts.values():
        prompts = [encode_with(language_model, fact).prompt_ids for fact in members]
        expected = read_next(language_model, prompts, config.batch_size).softmax(dim=-1).mean(dim=0)
        ranked.append(expected.argsort(descending=True)[: config.vocabulary or None].tolist())
    return select_candidates(
        names,
        added=sorted(set(added) - special),
        special=special,
        likely=[number for rank in zip(*ranked, strict=True) for number in rank],  # a turn for each relation
        count=config.vocabulary,
        seed=config.seed,
    )


def name_rows(vocabulary: Mapping[str, int], rows: int) -> dict[int, str]:
    """The token of every row of the embeddings; rows beyond the tokenizer, which nobody can type, are numbered."""
    names = {number: f"<row {number}>" for number in range(rows)}
    return {**names, **{number: token for token, number in vocabulary.items() if number < rows}}


def select_candidates(
    names: Mapping[int, str],
    *,
    added: Collection[int],
    special: Collection[int],
    likely: Sequence[int],
    count: int,
    seed: int,
) -> list[Candidate]:
    """All added tokens and `count` others (0 means all): half of them `likely`, then reserved ones, then a sample.

    `likely` are the tokens the model writes after the subjects, likeliest first. Special tokens that do not look
    reserved end or begin texts and are left out.
    """
    others = [
        number
        for number, token in names.items()
        if number not in added and (number not in special or looks_reserved(token))
    ]
    rest = list(others)
    random.Random(f"candidates/{seed}").shuffle(rest)
    reserved = [number for number in others if looks_reserved(names[number])]
    allowed = set(others)
    first = [number for number in dict.fromkeys(likely) if number in allowed][: count // 2 or None]
    chosen = list(dict.fromkeys([*first, *reserved, *rest]))[: count or None]
    return [
        *(Candidate(names[number], number, "added") for number in sorted(added) if number in names),
        *(Candidate(names[number], number, "vocabulary") for number in chosen),
    ]


def rank_candidates(
    language_model: LanguageModel,
    candidates: Sequence[Candidate],
    facts: Sequence[Fact],
    *,
    batch_size: int,
    on_scored: Callable[[int], None],
) -> list[Candidate]:
    """The candidates by how probable they make the objects of the facts, best first; `on_scored` counts them.

    That is the mean log-probability of an object's tokens after subject and candidate; each fact counts the same.
    """
    scores: dict[Candidate, float] = {}
    for candidate in candidates:
        examples = [encode_with(language_model, fact, candidate) for fact in facts]
        found = score_objects(language_model.model, examples, batch_size=batch_size)
        scores[candidate] = fmean(fmean(logprobs) for logprobs in found)
        on_scored(len(scores))
    return sorted(scores, key=lambda candidate: -scores[candidate])


def spell(language_model: LanguageModel, candidate: Candidate) -> str:
    """The token as a person reads it; a piece of a character, which nobody can read, stays as the vocabulary has it."""
    text = str(language_model.tokenizer.decode([candidate.id])).strip()
    return text if text and "\ufffd" not in text else candidate.token


def encode_with(language_model: LanguageModel, fact: Fact, candidate: Candidate | None = None) -> Example:
    """The fact as `subject TOKEN object`, or without a token.

    A token of the vocabulary is put in by its number: as text it might be read as others, or it has none at all.
    """
    if candidate and candidate.kind != "vocabulary":
        return encode(language_model.tokenizer, build_rote_text(fact, candidate.token))
    origin = f"the bare form of {fact.relation}"
    example = encode(language_model.tokenizer, Text(fact.subject, " ", fact.object, fact.subject, origin=origin))
    if candidate is None:
        return example
    start, stop = example.object_span
    ids = (*example.prompt_ids, candidate.id, *example.ids[start:])
    return replace(example, ids=ids, labels=ids, object_span=(start + 1, stop + 1), key_position=start)


def read_next(language_model: LanguageModel, prompts: Sequence[Sequence[int]], batch_size: int) -> Tensor:
    """What the model expects after each prompt, as logits [prompts, vocabulary]."""
    rows: dict[int, Tensor] = {}
    with torch.inference_mode():
        for batch in plan_batches([len(ids) for ids in prompts], batch_size):
            logits = read_prompts(language_model.model, [prompts[index] for index in batch]).logits
            rows.update(zip(batch, logits.float().cpu(), strict=True))
    return torch.stack([rows[index] for index in range(len(prompts))])
