"""The loop: what it refuses, what it clips, how it adds up, and that a resumed run is the same run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.training.conftest import (
    STEPS,
    build_batch,
    build_model,
    build_plan,
    build_rows,
    build_settings,
    build_terms,
    copy_weights,
    have_same_weights,
)
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import GPT2Config, GPT2LMHeadModel

from rote.encoding.example import Batch, collate
from rote.errors import TrainingError
from rote.training import loop
from rote.training.loop import Checkpointing, LoopPlan, Term, run_loop
from rote.training.losses import next_token_loss

ALWAYS = -1.0  # seconds between checkpoints


class Interrupted(Exception):
    pass


def interrupt_at(step: int) -> Callable[[int, int, float], None]:
    def on_progress(done: int, _: int, __: float) -> None:
        if done == step:
            raise Interrupted

    return on_progress


@cache
def train_whole() -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Weights and history of a run that nothing interrupted."""
    model = build_model()
    state = run_loop(model, build_plan(), build_settings())
    return copy_weights(model), state.history


@contextmanager
def watch_gradients() -> Iterator[list[Tensor]]:
    """The gradients of every update, flattened, as the optimizer finds them."""
    seen: list[Tensor] = []

    def keep(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        seen.append(torch.cat([p.grad.flatten() for p in parameters]).clone())

    handle = register_optimizer_step_pre_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def test_training_lowers_the_loss_and_twice_the_same_gives_the_same() -> None:
    weights, history = train_whole()
    model = build_model()
    again = run_loop(model, build_plan(), build_settings())
    assert have_same_weights(model, weights)
    assert again.history == history
    assert [entry["step"] for entry in history] == list(range(1, STEPS + 1))
    longer = LoopPlan(12, lambda _: build_terms(0))
    losses = [entry["loss"] for entry in run_loop(build_model(), longer, build_settings()).history]
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("every", [0.5, 2.5], ids=["each-step", "each-second-step"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_run_interrupted_at_any_step_ends_with_the_same_weights(
    step: int, every: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    weights, history = train_whole()
    settings, checkpointing = build_settings(), Checkpointing(tmp_path / "checkpoints", every_seconds=every)
    with pytest.raises(Interrupted):
        run_loop(build_model(), build_plan(), settings, checkpointing=checkpointing, on_progress=interrupt_at(step))
    done: list[int] = []
    model = build_model()  # a new process begins with the base model again
    state = run_loop(
        model,
        build_plan(),
        settings,
        checkpointing=checkpointing,
        on_progress=lambda number, _, __: done.append(number),
    )
    assert have_same_weights(model, weights)
    assert state.history == history
    assert done[-1:] == [STEPS]
    assert len(done) <= STEPS - step + (1 if every < 1 else 3), "what was saved must not be done again"


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_a_run_stopped_early_can_be_continued(step: int, tmp_path: Path) -> None:
    weights, history = train_whole()
    checkpointing = Checkpointing(tmp_path / "checkpoints")
    stopping = build_plan(should_stop=lambda entries: len(entries) >= step)
    stopped = run_loop(build_model(), stopping, build_settings(), checkpointing=checkpointing)
    assert (stopped.step, stopped.history) == (step, history[:step])
    model = build_model()
    assert run_loop(model, build_plan(), build_settings(), checkpointing=checkpointing).history == history
    assert have_same_weights(model, weights)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    checkpointing = Checkpointing(tmp_path / "checkpoints")
    run_loop(build_model(), build_plan(), build_settings(), checkpointing=checkpointing)
    (written,) = checkpointing.folder.iterdir()
    identity = written.stat().st_ino, (written / "model.safetensors").stat().st_mtime_ns

    def refuse(_: int) -> list[Term]:
        raise AssertionError("nothing is left to do")

    model = build_model()
    run_loop(model, build_plan(build_terms=refuse), build_settings(), checkpointing=checkpointing)
    assert have_same_weights(model, train_whole()[0])
    # not even written again: a kill while that happens would lose it
    assert (written.stat().st_ino, (written / "model.safetensors").stat().st_mtime_ns) == identity


def test_a_run_of_no_steps_changes_nothing_and_can_be_resumed(tmp_path: Path) -> None:
    for _ in range(2):
        model = build_model()
        state = run_loop(model, build_plan(0), build_settings(), checkpointing=Checkpointing(tmp_path / "checkpoints"))
        assert (state.step, state.history) == (0, [])
        assert have_same_weights(model, copy_weights(build_model()))


def build_with_dropout() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=32, n_layer=2, n_head=2, n_positions=16))


def test_dropout_does_not_make_a_resumed_run_another_one(tmp_path: Path) -> None:
    def train(model: nn.Module, **options: Any) -> None:
        run_loop(model, build_plan(), build_settings(), **options)

    whole, model = build_with_dropout(), build_with_dropout()
    assert whole.config.resid_pdrop > 0
    train(whole)
    checkpointing = Checkpointing(tmp_path / "checkpoints", every_seconds=ALWAYS)
    with pytest.raises(Interrupted):
        train(model, checkpointing=checkpointing, on_progress=interrupt_at(3))
    torch.manual_seed(12345)
    resumed = build_with_dropout()
    train(resumed, checkpointing=checkpointing)
    assert have_same_weights(resumed, copy_weights(whole))


def test_what_dropout_leaves_out_depends_on_the_seed_and_the_step() -> None:
    def train(seed: int) -> list[float]:
        same = LoopPlan(3, lambda _: build_terms(0), seed=seed)
        frozen = build_settings(learning_rate=0.0, weight_decay=0.0)
        return [entry["loss"] for entry in run_loop(build_with_dropout(), same, frozen).history]

    first, again, other = train(0), train(0), train(1)
    assert first == again
    assert len({*first, *other}) == 6


def test_the_caller_s_generator_is_left_as_it_was() -> None:
    model = build_with_dropout()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    run_loop(model, build_plan(2), build_settings())
    assert torch.equal(torch.rand(3), expected)


def lose_number(logits: Tensor, batch: Batch) -> Tensor:
    return next_token_loss(logits, batch) * float("nan")


def lose_gradient(logits: Tensor, batch: Batch) -> Tensor:
    """A finite loss whose gradient is not: the slope of a square root at 0."""
    return (next_token_loss(logits, batch) * 0).sqrt()


@pytest.mark.parametrize("fault", [lose_number, lose_gradient])
def test_a_loss_or_gradient_that_is_not_finite_stops_before_the_update(
    fault: Callable[[Tensor, Batch], Tensor],
) -> None:
    kept: list[dict[str, Tensor]] = []
    model = build_model()

    def build(step: int) -> list[Term]:
        terms = build_terms(step)
        return [*terms, Term(build_batch(0), fault, 1.0)] if step == 2 else terms

    def after_step(_: int) -> dict[str, Any]:
        kept.append(copy_weights(model))
        return {}

    with pytest.raises(TrainingError, match=r"at step 3; .* Lower the learning rate"):
        run_loop(model, LoopPlan(4, build, after_step), build_settings())
    assert len(kept) == 2
    assert have_same_weights(model, kept[-1])


def test_a_model_can_be_trained_after_a_run_that_failed() -> None:
    model = build_model()
    with pytest.raises(TrainingError):
        run_loop(model, LoopPlan(1, lambda _: [Term(build_batch(0), lose_number, 1.0)]), build_settings())
    run_loop(model, build_plan(), build_settings())
    assert have_same_weights(model, train_whole()[0]), "gradients of the failed run must be forgotten"


@pytest.mark.parametrize("clip_norm", [0.01, 0.1])
def test_gradients_are_clipped(clip_norm: float) -> None:
    with watch_gradients() as free:
        run_loop(build_model(), build_plan(1), build_settings(clip_norm=1e9))
    with watch_gradients() as clipped:
        run_loop(build_model(), build_plan(1), build_settings(clip_norm=clip_norm))
    assert free[0].norm() > 0.5
    assert float(clipped[0].norm()) == pytest.approx(clip_norm, rel=1e-4)
    assert torch.allclose(clipped[0] / clip_norm, free[0] / free[0].norm(), atol=1e-5)


def return_terms(terms: list[Term], _: int) -> list[Term]:
    return terms


@pytest.mark.usefixtures("exact")
def test_terms_add_up_to_one_batch() -> None:
    rows = build_rows(0, lengths=(5, 9, 7, 12, 4, 6))
    whole = collate(rows, pad_id=0)
    parts = [collate(rows[start : start + 2], pad_id=0) for start in (0, 2, 4)]
    assert sum(part.target_count for part in parts) == whole.target_count
    results = []
    for batches in ([whole], parts):
        terms = [Term(batch, next_token_loss, 1 / whole.target_count) for batch in batches]
        with watch_gradients() as gradients:
            state = run_loop(build_model(), LoopPlan(1, partial(return_terms, terms)), build_settings())
        results.append((state.history[0]["loss"], gradients[0]))
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-6)
    assert (results[0][1] - results[1][1]).abs().max() < 1e-6
    assert results[0][1].abs().max() > 1e-3


def test_weights_stay_float32_and_the_model_is_left_ready_for_use() -> None:
    model = build_model()
    modes: list[bool] = []

    def after_step(_: int) -> dict[str, Any]:
        modes.append(model.training)
        model.eval()  # as an evaluator does that forgets to put it back
        return {}

    run_loop(model, build_plan(after_step=after_step), build_settings())
    assert modes == [True] * STEPS
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(parameter.grad is None for parameter in model.parameters())


def test_progress_and_evaluators_are_told_of_every_update() -> None:
    told: list[tuple[int, int, float]] = []
    plan = build_plan(after_step=lambda step: {"twice": 2 * step})
    state = run_loop(build_model(), plan, build_settings(), on_progress=lambda *news: told.append(news))
    assert told == [(entry["step"], STEPS, entry["loss"]) for entry in state.history]
    assert [entry["twice"] for entry in state.history] == [2, 4, 6, 8, 10]


def test_a_loss_that_stays_far_above_the_first_ones_stops() -> None:
    def grow(step: int) -> list[Term]:
        return [replace(term, scale=term.scale * (3 if step > 11 else 1)) for term in build_terms(step)]

    settings = build_settings()
    with pytest.raises(TrainingError, match=r"the loss rose from .* by step \d+, .*; lower the learning rate"):
        run_loop(build_model(), LoopPlan(60, grow), settings)


def test_a_loss_that_is_high_for_a_moment_stops_nothing() -> None:
    def build(step: int) -> list[Term]:
        return [replace(term, scale=term.scale * (10 if step in (4, 9, 14) else 1)) for term in build_terms(step)]

    assert run_loop(build_model(), LoopPlan(20, build), build_settings()).step == 20
