"""Training the attention layers alone: they look up what the other layers store, which stays as it is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

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
