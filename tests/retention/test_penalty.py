"""Retained texts hold a model to what it was."""

import copy
from dataclasses import replace

import pytest
from tests.methods.conftest import build_language_model

from rote.config.teaching import RetainConfig
from rote.encoding.example import IGNORE
from rote.retention.penalty import Retention, build_retention
from rote.training.loop import compute_loss

TEXTS = [[5, 9, 12, 7, 30, 8], [6, 11, 4, 40], [9, 3, 22, 31, 7], [7, 8, 9, 10, 11, 12, 13], [5, 4, 3], [8, 8, 9, 2]]


def build(texts: list[list[int]] = TEXTS, *, batch_size: int = 3, weight: float = 0.5, seed: int = 0) -> Retention:
    settings = RetainConfig(batch_size=batch_size, weight=weight)
    return Retention(build_language_model(), texts, settings, seed=seed)


def test_a_copy_of_the_model_as_it_was_is_held_against() -> None:
    language_model = build_language_model()
    model = language_model.model
    was = copy.deepcopy(model)
    retention = Retention(language_model, TEXTS, RetainConfig(batch_size=3), seed=0)
    assert all(parameter.requires_grad for parameter in model.parameters()), "the model itself is still trained"
    model.get_output_embeddings().weight.data[:16] += 0.1
    (term,) = retention.build_terms(0)
    loss = float(compute_loss(model, [term]).detach()) / term.scale
    assert loss > 1e-2
    again = Retention(replace(language_model, model=was), TEXTS, RetainConfig(batch_size=3), seed=0)
    (same,) = again.build_terms(0)
    assert loss == pytest.approx(float(compute_loss(model, [same]).detach()) / same.scale, rel=1e-5)


def test_the_texts_of_a_step_are_a_function_of_seed_and_step() -> None:
    def pick(step: int, seed: int = 0) -> list[list[int]]:
        (term,) = build(seed=seed).build_terms(step)
        assert term.scale * term.batch.target_count == pytest.approx(0.5)
        rows = zip(term.batch.input_ids.tolist(), term.batch.labels.tolist(), strict=True)
        return [
            [ids[0], *(token for token, label in zip(ids, labels, strict=True) if label != IGNORE)]
            for ids, labels in rows
        ]

    assert pick(4) == pick(4)
    assert all(text in TEXTS for text in pick(4))
    assert len({tuple(text) for text in pick(4)}) == 3
    assert any(pick(step) != pick(4) for step in range(4))
    assert any(pick(step, seed=1) != pick(step) for step in range(4))
    assert {tuple(text) for step in range(20) for text in pick(step)} == set(map(tuple, TEXTS))


def test_fewer_texts_than_asked_for_are_all_used() -> None:
    (term,) = build(TEXTS[:2], batch_size=8).build_terms(0)
    assert term.batch.input_ids.shape[0] == 2


def test_no_more_texts_are_in_memory_than_a_micro_batch_holds() -> None:
    terms = build(batch_size=5).build_terms(0, micro_batch_size=2)
    assert [term.batch.input_ids.shape[0] for term in terms] == [2, 2, 1]
    targets = sum(term.batch.target_count for term in terms)
    assert {term.scale for term in terms} == {0.5 / targets}, "together they weigh what one batch would"


def test_nothing_is_held_without_texts_or_weight() -> None:
    assert build_retention(build_language_model(), [], RetainConfig(), seed=0) is None
    assert build_retention(build_language_model(), TEXTS, RetainConfig(weight=0), seed=0) is None
