import pytest
import torch
from tests.training.conftest import build_model, build_plan, build_settings

from rote.training.loop import run_loop
from rote.training.optimizer import OptimizerSettings, compute_learning_rate


@pytest.mark.parametrize(
    ("warmup", "decay_share", "expected"),
    [
        (4, 0.5, [0.25, 0.5, 0.75, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]),
        (0, 1.0, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
        (0, 0.2, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0.5]),
        (20, 0.1, [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]),
        (10, 1.0, [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1]),
    ],
)
def test_the_learning_rate_rises_stays_and_falls(warmup: int, decay_share: float, expected: list[float]) -> None:
    settings = OptimizerSettings(3e-4, warmup, decay_share=decay_share)
    rates = [compute_learning_rate(settings, step, 10) / 3e-4 for step in range(10)]
    assert rates == pytest.approx(expected)


def test_every_step_learns_something() -> None:
    for steps in (1, 2, 7):
        for share in (0.01, 0.4, 1.0):
            settings = OptimizerSettings(1.0, 0, decay_share=share)
            assert all(0 < compute_learning_rate(settings, step, steps) <= 1 for step in range(steps))


def test_the_schedule_is_what_the_loop_uses() -> None:
    settings = build_settings(weight_decay=0.0, warmup_steps=2, decay_share=1.0)
    history = run_loop(build_model(), build_plan(4), settings).history
    assert [entry["learning_rate"] for entry in history] == pytest.approx([0.005, 0.0075, 0.005, 0.0025])
    # AdamW moves a weight by at most the learning rate in its first step
    model, before = build_model(), build_model().lm_head.weight
    run_loop(model, build_plan(1), build_settings(weight_decay=0.0, warmup_steps=0, learning_rate=1e-3))
    assert float((model.lm_head.weight - before).abs().max()) == pytest.approx(1e-3, rel=1e-2)


def test_frozen_weights_stay_as_they_are() -> None:
    model = build_model()
    model.model.layers[0].requires_grad_(False)
    frozen = model.model.layers[0].mlp.up_proj.weight.clone()
    free = model.model.layers[1].mlp.up_proj.weight.clone()
    run_loop(model, build_plan(2), build_settings())
    assert torch.equal(model.model.layers[0].mlp.up_proj.weight, frozen)
    assert not torch.equal(model.model.layers[1].mlp.up_proj.weight, free)
