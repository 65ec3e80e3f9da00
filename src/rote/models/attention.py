"""Attention layers: training them alone, as they look up what the other layers store, and how they are computed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from rote.errors import ModelError

_ATTENTION = re.compile(r"(^|\.)\w*(attn|attention)\.")


def check_attention(model: nn.Module) -> None:
    """Raise `ModelError` where a model has no attention layers by a name that is known."""
    if not any(_ATTENTION.search(name) for name, _ in model.named_parameters()):
        raise ModelError("this model has no attention layers to train alone; add --set generalize.weights=all")


@contextmanager
def only_attention(model: nn.Module) -> Iterator[None]:
    """Freeze every weight outside the attention layers, while inside the block."""
    others = [
        weight for name, weight in model.named_parameters() if weight.requires_grad and not _ATTENTION.search(name)
    ]
    for weight in others:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in others:
            weight.requires_grad_(True)


@contextmanager
def plain_attention(model: nn.Module) -> Iterator[None]:
    """Attention as plain matrix products, while inside the block, on a CPU: for rows as short as facts they take half
    the time of torch's fused attention and its gradient, and come to the same."""
    changed: Any = model  # what sets it is no part of the types, and not there on every model
    is_fused = getattr(getattr(model, "config", None), "_attn_implementation", None) == "sdpa"
    if not is_fused or next(model.parameters()).device.type != "cpu":
        yield
        return
    changed.set_attn_implementation("eager")
    try:
        yield
    finally:
        changed.set_attn_implementation("sdpa")
