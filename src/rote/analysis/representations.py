"""What the states of a table's facts have in common (paper, the study of representations).

For each fact the model reads its rote text up to the key token and a few English prompts. Delta-CosSim asks whether the
states of one relation lie together, apart from other relations; CosSim asks whether the key token leaves the model in
the state a prompt leaves it in.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rote.analysis.hidden_states import read_hidden_states
from rote.analysis.similarity import (
    compute_cosines,
    compute_pairwise_cossim,
    estimate_delta,
    estimate_mean,
    has_both_pairs,
    project,
)
from rote.encoding.example import encode
from rote.errors import ModelError, TemplateError
from rote.facts.fact import Fact
from rote.facts.relation import PROMPT_SETS, TRAINING_LANGUAGE, PromptSet, PromptTemplate, Relation
from rote.facts.text import build_prompt_text, build_rote_text
from rote.figures import Figure
from rote.models.language_model import LanguageModel
from rote.records import QuestionSet

RepresentationMeasure = Literal["delta_cossim", "key_similarity"]
MEAN_LAYER = -1
"""In a row: not one layer but the mean over layers 1 to the last."""

_States = list[NDArray[np.float32]]
_Prompts = dict[QuestionSet, list[list[tuple[int, ...]]]]
"""Prompt set -> for each prompt of a fact, that prompt's ids for all facts."""


@dataclass(frozen=True, slots=True)
class RepresentationRow:
    """One measure of one prompt set in one layer, with its 95% interval over facts."""

    measure: RepresentationMeasure
    """`delta_cossim` (separation of relations) or `key_similarity` (cosine of key token and prompt of one fact)."""
    prompt_set: QuestionSet
    """Where the states are read; for `key_similarity`, what the key token is compared with."""
    layer: int
    """0 is the embeddings, -1 the mean over layers 1 to the last."""
    figure: Figure
    """Its `n` is the number of facts."""


@dataclass(frozen=True, slots=True)
class Point:
    """The state of one fact on the plane of the first two principal components."""

    relation: str
    kind: QuestionSet
    x: float
    y: float


def measure_representations(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    relations: Mapping[str, Relation],
    *,
    seed: int,
    prompts_per_set: int = 1,
) -> list[RepresentationRow]:
    """Both measures for every prompt set and every layer, by measure within prompt set.

    The training prompts are the first English ones (those of phase 2); held-out and control prompts are drawn by seed
    and fact. With several prompts per set the first of each fact are compared with one another, then the second, and
    cosines are averaged. Left out are: all of the key for a model without key tokens; a prompt set that a relation has
    no English prompt for; `delta_cossim` of one relation alone, or where no relation has two facts. Raises
    `ModelError` where only some relations have a key token, `TemplateError` for a fact whose relation is not among
    `relations`, `EncodingError` for a prompt whose object begins inside a token, `ValueError` without facts.
    """
    groups = [fact.relation for fact in facts]
    rows: list[RepresentationRow] = []
    keys: NDArray[np.float32] | None = None
    for prompt_set, prompts in _encode_prompts(language_model, facts, relations, seed, prompts_per_set).items():
        states = [read_hidden_states(language_model.model, ids) for ids in prompts]
        if has_both_pairs(groups):
            rows += _build_rows("delta_cossim", prompt_set, _measure_deltas(states, groups))
        if prompt_set == "key":
            keys = states[0]
        elif keys is not None:
            rows += _build_rows("key_similarity", prompt_set, _measure_similarity(keys, states))
    return rows


def summarise_layers(rows: Iterable[RepresentationRow]) -> list[RepresentationRow]:
    """The headline: one row, with layer -1, for each measure and prompt set: the mean over layers 1 to the last.

    Layer 0 is left out: at the key token it is the same for all facts of a relation, whatever the model has learned.
    The ends of the interval are means too, which is on the wide side: layers do not vary in step from fact to fact.
    """
    groups: dict[tuple[RepresentationMeasure, QuestionSet], list[RepresentationRow]] = {}
    for row in rows:
        if row.layer > 0:
            groups.setdefault((row.measure, row.prompt_set), []).append(row)
    return [
        RepresentationRow(measure, prompt_set, MEAN_LAYER, _average([row.figure for row in group]))
        for (measure, prompt_set), group in groups.items()
    ]


def project_representations(
    language_model: LanguageModel, facts: Sequence[Fact], relations: Mapping[str, Relation], *, layer: int, seed: int
) -> list[Point]:
    """The states of one layer on a plane: one point for each fact and prompt set, all on the same components.

    The prompts are those of `measure_representations` with one prompt per set. Raises `ModelError` where only
    some relations have a key token, `TemplateError` for a relation without prompts, `EncodingError` for a prompt whose
    object begins inside a token, `ValueError` without facts, `IndexError` for a layer the model does not have.
    """
    prompts = _encode_prompts(language_model, facts, relations, seed, 1)
    read = [read_hidden_states(language_model.model, ids, layers=[layer])[:, 0] for (ids,) in prompts.values()]
    places, _ = project(np.concatenate(read))
    kinds = [(fact.relation, prompt_set) for prompt_set in prompts for fact in facts]
    return [Point(relation, kind, float(x), float(y)) for (relation, kind), (x, y) in zip(kinds, places, strict=True)]


def _encode_prompts(
    language_model: LanguageModel, facts: Sequence[Fact], relations: Mapping[str, Relation], seed: int, count: int
) -> _Prompts:
    """Everything the model reads, the key first."""
    _check(language_model, facts, relations, count)
    tokenizer = language_model.tokenizer
    prompts: _Prompts = {}
    if language_model.key_tokens:
        texts = [build_rote_text(fact, language_model.key_tokens[fact.relation]) for fact in facts]
        prompts["key"] = [[encode(tokenizer, text).prompt_ids for text in texts]]
    for prompt_set in PROMPT_SETS:
        picked = [_pick_templates(fact, relations[fact.relation], prompt_set, count, seed) for fact in facts]
        # As many as every fact has, so that the n-th prompt of each can be compared.
        encoded = [
            [encode(tokenizer, build_prompt_text(fact, template)).prompt_ids for fact, template in pairs]
            for pairs in (list(zip(facts, templates, strict=True)) for templates in zip(*picked, strict=False))
        ]
        if encoded:
            prompts[prompt_set] = encoded
    return prompts


def _check(language_model: LanguageModel, facts: Sequence[Fact], relations: Mapping[str, Relation], count: int) -> None:
    if not facts or count < 1:
        raise ValueError("representations need at least one fact and one prompt per set")
    names = sorted({fact.relation for fact in facts})
    unknown = [name for name in names if name not in relations]
    if unknown:
        raise TemplateError(f"no prompts for the relation {unknown[0]!r}; name its pack: --set relations=[path.yaml]")
    missing = [name for name in names if name not in language_model.key_tokens]
    if language_model.key_tokens and missing:
        raise ModelError(
            f"{language_model.source}: has no key token for {', '.join(missing)}; leave out the facts of relations "
            "it was not taught, or take a model that was taught all of them"
        )


def _pick_templates(
    fact: Fact, relation: Relation, prompt_set: PromptSet, count: int, seed: int
) -> Sequence[PromptTemplate]:
    """The prompts of a fact: the first for training, else drawn; fewer than `count` where there are no more."""
    if prompt_set == "training":
        return relation.select_training(count)
    templates = relation.select(prompt_set=prompt_set, language=TRAINING_LANGUAGE)
    return random.Random(f"{seed}/{fact.id}/{prompt_set}").sample(templates, min(count, len(templates)))


def _measure_deltas(states: _States, groups: Sequence[str]) -> list[Figure]:
    """Delta-CosSim of each layer. The draws are the same in all layers and sets, so that rows can be compared."""
    layers = range(states[0].shape[1])
    cosines = (np.mean([compute_cosines(prompt[:, layer]) for prompt in states], axis=0) for layer in layers)
    return [estimate_delta(layer, groups) for layer in cosines]


def _measure_similarity(keys: NDArray[np.float32], states: _States) -> list[Figure]:
    """The cosine of a fact's key token and prompts, in each layer."""
    cosines = np.mean([compute_pairwise_cossim(keys, prompt) for prompt in states], axis=0)
    return [estimate_mean(layer) for layer in cosines.T]


def _build_rows(
    measure: RepresentationMeasure, prompt_set: QuestionSet, figures: Sequence[Figure]
) -> list[RepresentationRow]:
    return [RepresentationRow(measure, prompt_set, layer, figure) for layer, figure in enumerate(figures)]


def _average(figures: Sequence[Figure]) -> Figure:
    value, low, high = (fmean(ends) for ends in zip(*((f.value, f.low, f.high) for f in figures), strict=True))
    return Figure(value, low, high, figures[0].n)
