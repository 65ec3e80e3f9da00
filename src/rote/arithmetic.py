"""How numbers are computed with while a model is trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Take numbers nearer to zero than 1e-38 as zero, on a CPU, until the block is left.

    A model that has learned something by heart gives nearly all tokens such probabilities, and a CPU computes with them
    many times more slowly. The commands that train do this, and not what trains, as it holds for all that a process
    computes.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
