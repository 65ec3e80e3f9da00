"""Training the attention layers alone: they look up what the other layers store, which stays as it is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from rote.errors import ModelError

_ATTENTION = re.compile(r"(^|\.)\w*(attn|attention)\.")


@contextmanager
def only_attention(model: nn.Module) -> Iterator[None]:
    """Freeze every weight outside the attention layers, while inside the block.

    Raises `ModelError` where nothing that is trained is in such a layer.
    """
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    others = [weight for name, weight in trained.items() if not _ATTENTION.search(name)]
    if len(others) == len(trained):
        raise ModelError("weights=attention: this model has no attention layers that are trained; use weights=all")
    for weight in others:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in others:
            weight.requires_grad_(True)
