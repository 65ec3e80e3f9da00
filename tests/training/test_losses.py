"""What a batch costs, and what holds a model to what it was."""

import math

import pytest
import torch
from tests.training.conftest import (
    VOCABULARY,
    build_batch,
    build_model,
    build_rows,
    build_settings,
    copy_weights,
    have_same_weights,
)

from rote.encoding.example import IGNORE, Batch, collate
from rote.training.loop import LoopPlan, Term, run_loop
from rote.training.losses import DistillationLoss, next_token_loss

TEXTS = [ids for ids, _ in build_rows(5, lengths=(6, 9, 5, 8, 7, 10))]


def test_the_loss_is_that_of_each_labelled_token_alone() -> None:
    model, rows = build_model(), build_rows(1, lengths=(3, 12, 7, 5))
    expected = 0.0
    for ids, labels in rows:
        logprobs = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].detach().log_softmax(-1)
        wanted = [position for position, label in enumerate(labels) if position and label != IGNORE]
        expected -= sum(float(logprobs[position - 1, ids[position]]) for position in wanted)
    assert next_token_loss(model, collate(rows, pad_id=0)).item() == pytest.approx(expected, rel=1e-5)


def test_padding_costs_nothing_whatever_stands_there() -> None:
    model, rows = build_model(), build_rows(2, lengths=(3, 12, 7, 5))
    alone = sum(float(next_token_loss(model, collate([row], pad_id=0))) for row in rows)
    for pad_id in (0, 7):
        for length in (None, 20):
            together = float(next_token_loss(model, collate(rows, pad_id=pad_id, length=length)))
            assert together == pytest.approx(alone, rel=1e-5)


def test_the_scale_is_nats() -> None:
    model = build_model()
    for weight in model.parameters():
        weight.data.zero_()  # every token equally likely
    batch = build_batch(3)
    assert float(next_token_loss(model, batch)) == pytest.approx(batch.target_count * math.log(VOCABULARY))


@pytest.mark.usefixtures("exact")
def test_a_model_does_not_differ_from_itself() -> None:
    loss = DistillationLoss(build_model())
    assert float(loss(build_model(), build_batch(0))) == pytest.approx(0, abs=1e-5)
    assert float(loss(build_model(seed=1), build_batch(0))) > 1e-2


def test_it_is_the_divergence_from_the_frozen_model() -> None:
    frozen, model, batch = build_model(), build_model(seed=1), build_batch(0)
    wanted, given = (
        item(input_ids=batch.input_ids, use_cache=False).logits[:, :-1].softmax(-1) for item in (frozen, model)
    )
    each = (wanted * (wanted / given).log()).sum(-1)
    expected = float(each[batch.labels[:, 1:] != IGNORE].sum())
    assert float(DistillationLoss(frozen)(model, batch)) == pytest.approx(expected, rel=1e-4)


def test_added_rows_are_left_out_of_both_sides() -> None:
    frozen, model, batch = build_model(), build_model(), build_batch(0)
    model.resize_token_embeddings(VOCABULARY + 3, mean_resizing=False)
    loss = DistillationLoss(frozen)
    for size in (0.0, 100.0):  # however likely the new tokens are
        model.lm_head.weight.data[VOCABULARY:] = size
        assert float(loss(model, batch)) == pytest.approx(0, abs=1e-5)
    model.lm_head.weight.data[3] += 0.5
    assert float(loss(model, batch)) > 1e-4


def test_only_labelled_tokens_are_held() -> None:
    loss, model, batch = DistillationLoss(build_model()), build_model(seed=1), build_batch(0)
    nothing = Batch(batch.input_ids, torch.full_like(batch.labels, IGNORE))
    assert float(loss(model, nothing)) == 0
    fewer = batch.labels.clone()
    fewer[2:] = IGNORE
    assert 0 < float(loss(model, Batch(batch.input_ids, fewer))) < float(loss(model, batch))


def test_the_frozen_model_never_changes_and_the_trained_one_comes_back() -> None:
    frozen, model = build_model(), build_model(seed=1)
    before = copy_weights(frozen)
    loss = DistillationLoss(frozen)
    terms = [Term(batch, loss, 1 / batch.target_count) for batch in map(build_batch, range(2))]
    history = run_loop(model, LoopPlan(30, lambda _: terms), build_settings()).history
    assert have_same_weights(frozen, before)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
