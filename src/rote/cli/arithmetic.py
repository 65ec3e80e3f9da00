"""How numbers are computed with, for the whole process."""

import torch


def flush_denormals() -> None:
    """Take numbers nearer to zero than 1e-38 as zero, on a CPU.

    A model that has learned something by heart gives nearly all tokens such probabilities, and a CPU computes with them
    many times more slowly. The commands that train call this, and not what trains, as it holds for the whole process.
    """
    torch.set_flush_denormal(True)
