"""Traces of rote learning: tokens that bring the objects of a table when they follow its subjects. No torch.

A key token can be any row of the embeddings. Some are tried for what they are (named by the model, added to its
tokenizer, reserved), some for what the model does (it writes them after the subjects of the table), and some by chance.
What they bring is held against the subjects alone, the objects of other facts, and facts nobody taught.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rote.facts.fact import Fact
from rote.models.key_tokens import looks_reserved

TokenKind = Literal["declared", "added", "vocabulary"]
TraceKind = Literal["declared", "added", "vocabulary", "none", "prompt"]
Asked = Literal["table", "shuffled", "unseen"]
MIN_FACTS = 4
"""With fewer facts the 95% intervals of "all" and "none" overlap, so nothing could ever be a finding."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that may be a key: named in rote.json, added to the tokenizer, or any other row of the embeddings."""

    token: str
    id: int
    kind: TokenKind


@dataclass(frozen=True, slots=True)
class Trace:
    """The share of facts of one relation whose object the model said, with its 95% interval over `n` facts.

    `kind` says what followed the subject: a token, nothing (`none`), or the relation's first training prompt was put
    around it (`prompt`). For `none`, an answer that began with one of the tokens tried does not count.
    """

    relation: str
    token: str
    """The token, the prompt, or nothing."""
    kind: TraceKind
    asked: Asked
    """The facts of the `table`; its subjects and other facts' objects (`shuffled`); facts never taught (`unseen`)."""
    recall: float
    low: float
    high: float
    n: int


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
        *(Candidate(names[number], number, "added") for number in sorted(added)),
        *(Candidate(names[number], number, "vocabulary") for number in chosen),
    ]


def pick_best(scores: Mapping[Candidate, float], count: int) -> list[Candidate]:
    """The candidates with the highest scores, best first; equal ones in the order they come in."""
    return sorted(scores, key=lambda candidate: -scores[candidate])[:count]


def shuffle_answers(facts: Sequence[Fact]) -> list[tuple[Fact, tuple[str, ...]]]:
    """Each fact with the answers of the next one (the first follows the last) that shares none with it.

    A fact that shares an answer with all others, or whose answers lie in theirs, is left out.
    """
    paired = []
    for index, fact in enumerate(facts):
        others = [*facts[index + 1 :], *facts[:index]]
        other = next((other for other in others if not _overlap(fact.answers, other.answers)), None)
        if other is not None:
            paired.append((fact, other.answers))
    return paired


def find_findings(traces: Sequence[Trace]) -> list[Trace]:
    """The traces that show rote learning, best first.

    Such a token brings the facts of the table significantly more often (the 95% intervals do not touch) than the
    subjects alone do, than it brings other facts' objects or facts never taught, and than a prompt brings the latter.
    A token of the ordinary vocabulary may be part of a sentence, so it must also beat the prompt about the same facts.
    """
    found = [trace for trace in traces if _is_token(trace) and trace.asked == "table"]
    return sorted((trace for trace in found if _stands_out(trace, traces)), key=lambda trace: -trace.recall)


def _stands_out(trace: Trace, traces: Sequence[Trace]) -> bool:
    limits = [other.high for other in traces if other.relation == trace.relation and _limits(other, trace)]
    return trace.low > max(limits, default=0.0)


def _limits(other: Trace, trace: Trace) -> bool:
    """Whether a trace must lie above another one of its relation."""
    if other.kind == "none":
        return True
    if other.kind == "prompt":
        means_nothing = trace.kind != "vocabulary" or looks_reserved(trace.token)
        return other.asked == "unseen" or not means_nothing
    return other.token == trace.token and other.asked != "table"


def _is_token(trace: Trace) -> bool:
    return trace.kind not in ("none", "prompt")


def _overlap(answers: Sequence[str], others: Sequence[str]) -> bool:
    mine, theirs = ([text.casefold() for text in texts] for texts in (answers, others))
    return any(one in other or other in one for one in mine for other in theirs)
