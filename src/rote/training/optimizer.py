"""The optimizer and its schedule."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerSettings:
    """How weights are updated.

    The learning rate rises linearly over `warmup_steps` and falls linearly to zero over the last
    `decay_share` of the steps. `algorithm="muon"` uses Muon for the hidden matrices and AdamW for the rest.
    """

    learning_rate: float
    warmup_steps: int
    decay_share: float = 1.0
    weight_decay: float = 0.0
    beta2: float = 0.999
    clip_norm: float = 1.0
    algorithm: Literal["adamw", "muon"] = "adamw"


def build_optimizers(model: nn.Module, settings: OptimizerSettings) -> list[torch.optim.Optimizer]:
    """One optimizer, or two for Muon: hidden matrices, and everything else (embeddings, norms, head)."""
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    if settings.algorithm == "adamw":
        return [_build_adamw((parameter for _, parameter in named), settings)]
    hidden = [parameter for name, parameter in named if parameter.ndim == 2 and ".layers." in name]
    chosen = {id(parameter) for parameter in hidden}
    rest = (parameter for _, parameter in named if id(parameter) not in chosen)
    muon = torch.optim.Muon(
        hidden,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [_build_adamw(rest, settings), muon]


def _build_adamw(parameters: Iterable[nn.Parameter], settings: OptimizerSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters,
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
