"""What a batch costs."""

import math

import pytest
import torch
from tests.training.conftest import (
    VOCABULARY,
    build_batch,
    build_model,
    build_rows,
)
from torch import nn

from rote.encoding.example import IGNORE, Batch, collate
from rote.training.losses import next_token_loss, predict_labelled


def measure(model: nn.Module, batch: Batch) -> float:
    return float(next_token_loss(predict_labelled(model, batch), batch).detach())


def test_the_loss_is_that_of_each_labelled_token_alone() -> None:
    model, rows = build_model(), build_rows(1, lengths=(3, 12, 7, 5))
    expected = 0.0
    for ids, labels in rows:
        logprobs = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].detach().log_softmax(-1)
        wanted = [position for position, label in enumerate(labels) if position and label != IGNORE]
        expected -= sum(float(logprobs[position - 1, ids[position]]) for position in wanted)
    assert measure(model, collate(rows, pad_id=0)) == pytest.approx(expected, rel=1e-5)


def test_padding_costs_nothing_whatever_stands_there() -> None:
    model, rows = build_model(), build_rows(2, lengths=(3, 12, 7, 5))
    alone = sum(measure(model, collate([row], pad_id=0)) for row in rows)
    for pad_id in (0, 7):
        for length in (None, 20):
            together = measure(model, collate(rows, pad_id=pad_id, length=length))
            assert together == pytest.approx(alone, rel=1e-5)


def test_the_scale_is_nats() -> None:
    model = build_model()
    for weight in model.parameters():
        weight.data.zero_()  # every token equally likely
    batch = build_batch(3)
    assert measure(model, batch) == pytest.approx(batch.target_count * math.log(VOCABULARY))
