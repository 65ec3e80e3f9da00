"""The optimizer and its schedule."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerSettings:
    """How AdamW updates the weights.

    The learning rate rises linearly over `warmup_steps` and falls linearly to zero over the last `decay_share` of the
    steps.
    """

    learning_rate: float
    warmup_steps: int
    decay_share: float = 1.0
    weight_decay: float = 0.0
    beta2: float = 0.999
    clip_norm: float = 1.0


def build_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """AdamW over all weights that are not frozen."""
    return torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=settings.learning_rate,
        betas=(0.9, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    )


def compute_learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """The learning rate of update `step` (from 0) of `steps`."""
    warmup = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    decay_steps = max(1, round(settings.decay_share * steps))
    return settings.learning_rate * min(warmup, min(1.0, (steps - step) / decay_steps))
