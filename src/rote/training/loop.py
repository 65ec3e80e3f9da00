"""The one training loop, used by pretraining and by both phases.

The loop asks for the terms of each step (a pure function of the step, so that resumed work is the same work), sums
their losses, refuses a loss or gradient that is not finite before it can touch the weights, and updates.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from rote.encoding.example import Batch, join
from rote.errors import TrainingError
from rote.models.attention import plain_attention
from rote.models.language_model import autocast
from rote.runs.reporting import Stopped
from rote.training.checkpoints import LoopState, load_checkpoint, save_checkpoint
from rote.training.losses import predict_labelled
from rote.training.optimizer import OptimizerSettings, build_optimizer, compute_learning_rate
from rote.training.parallel import add_up, by_first, count_processes, gather, take_share

Loss = Callable[[Tensor, Batch], Tensor]
"""From the logits before every label of a batch, [labels, vocabulary], and that batch to a scalar."""

_LATELY = 10
"""Updates whose loss is looked at together."""
_LONGEST_ROW = 512
"""Tokens of a packed row at most: attention grows with the square of it, and what packing saves does not."""


@dataclass(frozen=True)
class Term:
    """One part of a step's loss: the sum of `loss` over `batch`, times `scale`."""

    batch: Batch
    loss: Loss
    scale: float


@dataclass(frozen=True)
class LoopPlan:
    """What to do: how many updates, the terms of each, and what to measure after some of them.

    `build_terms` maps a step to its terms and must depend on nothing else. `after_step` may return figures to be
    kept in the history (an evaluator), and is called with the number of updates done.
    """

    steps: int
    build_terms: Callable[[int], Sequence[Term]]
    after_step: Callable[[int], dict[str, Any]] = field(default=lambda _: {})
    should_stop: Callable[[list[dict[str, Any]]], bool] = field(default=lambda _: False)
    seed: int | str = 0
    """With the step it decides what dropout leaves out, where a model has it."""
    pack: bool = False
    """Whether short batches are read as one row without padding; `can_pack` says whether a model can."""
    join: bool = False
    """Whether short batches of several terms are read in one row, which takes less time and more memory."""


@dataclass(frozen=True)
class Checkpointing:
    """Where a loop keeps its checkpoints and how often it writes one."""

    folder: Path
    every_seconds: float = 120.0
    at_end: bool = True
    """Whether one is written when all is done."""
    owner: str = ""
    """What is trained, so that nobody else's are taken for its own."""


def run_loop(
    model: nn.Module,
    plan: LoopPlan,
    settings: OptimizerSettings,
    *,
    checkpointing: Checkpointing | None = None,
    on_progress: Callable[[int, int, float], None] | None = None,
) -> LoopState:
    """Train `model` in place and return what was logged.

    Resumes from the newest checkpoint in `checkpointing.folder`. `on_progress(done, steps, loss)` is told of every
    update; where it raises `Stopped`, a checkpoint is written first. The generators of torch are left as they were.
    Raises `TrainingError` before an update whose loss or gradient is not finite and for a loss that only grows, and
    `RunError` for a checkpoint that is damaged or of another model.
    """
    optimizer = build_optimizer(model, settings)
    state = _resume(checkpointing, model, optimizer) if checkpointing else None
    step, history = (state.step, state.history) if state else (0, [])
    saved_at, saved_step = by_first(time.monotonic), state.step if state else None
    model.zero_grad()  # a run that failed may have left gradients behind
    model.train()
    while step < plan.steps and not plan.should_stop(history):
        rate = compute_learning_rate(settings, step, plan.steps)
        seed = random.Random(f"step/{plan.seed}/{step}").getrandbits(63)  # so it is the same when resumed
        with seeded(seed):
            groups = _group(plan, plan.build_terms(step))
            loss = _update(model, optimizer, groups, rate=rate, clip_norm=settings.clip_norm, step=step)
        step += 1
        history.append({"step": step, "loss": loss, "learning_rate": rate})
        _check_loss(history)
        history[-1] |= plan.after_step(step)
        model.train()
        if on_progress:
            try:
                on_progress(step, plan.steps, loss)
            except Stopped:
                if checkpointing:
                    _save(checkpointing, model, optimizer, LoopState(step, history))
                raise
        if checkpointing and by_first(time.monotonic) - saved_at > checkpointing.every_seconds:
            _save(checkpointing, model, optimizer, LoopState(step, history))
            saved_at, saved_step = by_first(time.monotonic), step
    if checkpointing and checkpointing.at_end and saved_step != step:
        _save(checkpointing, model, optimizer, LoopState(step, history))
    model.eval()
    return LoopState(step, history)


def _check_loss(history: Sequence[Mapping[str, Any]]) -> None:
    """Raise `TrainingError` where the loss has for a while been far above the highest of the first updates."""
    lately = [entry["loss"] for entry in history[-_LATELY:]]
    first, now = max(entry["loss"] for entry in history[:_LATELY]), median(lately)
    if len(history) >= 2 * _LATELY and now > 1.5 * first + 1:
        raise TrainingError(
            f"the loss rose from {first:.3g} to {now:.3g} by step {len(history)}, which ruins the model; "
            "lower the learning rate of this phase, its setting learning_rate (docs/settings.md)"
        )


def _resume(checkpointing: Checkpointing, model: nn.Module, optimizer: torch.optim.Optimizer) -> LoopState | None:
    return load_checkpoint(checkpointing.folder, model, optimizer, owner=checkpointing.owner)


def _save(checkpointing: Checkpointing, model: nn.Module, optimizer: torch.optim.Optimizer, state: LoopState) -> None:
    save_checkpoint(checkpointing.folder, model, optimizer, state, owner=checkpointing.owner)


def _group(plan: LoopPlan, terms: Sequence[Term]) -> list[list[Term]]:
    """What this process works on of each term, packed where that is less work; terms that are read together."""
    groups: list[list[Term]] = []
    room = 0
    for term in terms:
        batch = take_share(term.batch)
        packed = batch.pack() if plan.pack else batch
        tokens = packed.input_ids.numel()
        is_packed = plan.pack and tokens <= _LONGEST_ROW
        # Processes must read as often as each other, whatever is in their shares.
        if is_packed and plan.join and tokens <= room and count_processes() == 1:
            groups[-1].append(replace(term, batch=packed))
            room -= tokens
        else:
            groups.append([replace(term, batch=packed if is_packed else batch)])
            room = _LONGEST_ROW - tokens if is_packed else 0
    return groups


def compute_loss(model: nn.Module, terms: Sequence[Term]) -> Tensor:
    """The loss of terms that are read together: of one term, or of packed ones in one row (a scalar)."""
    device = next(model.parameters()).device
    batches = [term.batch.to(device) for term in terms]
    logits = predict_labelled(model, batches[0] if len(batches) == 1 else join(batches))
    parts = torch.split(logits, [batch.target_count for batch in batches])
    losses = [term.loss(part, batch) * term.scale for term, part, batch in zip(terms, parts, batches, strict=True)]
    return torch.stack(losses).sum()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from the seed inside the block; the generators of torch are afterwards what they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def _update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    groups: Sequence[Sequence[Term]],
    *,
    rate: float,
    clip_norm: float,
    step: int,
) -> float:
    """One update; returns the loss. The gradients of all terms are added before the update."""
    device = next(model.parameters()).device
    losses = []
    for terms in groups:
        is_short = all(term.batch.input_ids.shape[1] <= _LONGEST_ROW for term in terms)
        with plain_attention(model) if is_short else nullcontext():
            with autocast(device):
                loss = compute_loss(model, terms)
            torch.autograd.backward(loss * count_processes())  # gradients are averaged over the processes
        losses.append(loss.detach())
    total = float(add_up(torch.stack(losses).sum()))
    norm = float(gather(nn.utils.clip_grad_norm_(model.parameters(), clip_norm)))
    if not math.isfinite(total) or not math.isfinite(norm):
        raise TrainingError(
            f"the loss became {total} (gradient norm {norm}) at step {step + 1}; it was not applied. "
            "Lower the learning rate of this phase, its setting learning_rate (docs/settings.md)"
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()
    return total
