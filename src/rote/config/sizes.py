"""Settings that fit a model's size, for what a person leaves open.

Up to 100 M parameters they are those that were found on the embedded model (dev/LOG.md), which are the defaults of
`Config`. From 1 B on they are those of the paper's code: learning rates of 1e-5 to 2e-6, falling with size, 5
warm-up steps, batches of 4 to 1. What lies between is between the two, and was not measured.
"""

from typing import Any, NamedTuple


class _Size(NamedTuple):
    """Settings of models with fewer than so many parameters."""

    below: float
    learning_rate: float
    batch_size: int


_SIZES = (
    _Size(1e9, 5e-5, 8),
    _Size(4e9, 1e-5, 4),
    _Size(10e9, 5e-6, 2),
    _Size(float("inf"), 2e-6, 1),
)
_OURS = 100e6
_PAPER_WARMUP = 5


def fit_settings(parameters: int) -> dict[str, Any]:
    """What differs from `Config()` for a model with so many parameters, as plain data."""
    if parameters < _OURS:
        return {}
    size = next(size for size in _SIZES if parameters < size.below)
    phase = {"learning_rate": size.learning_rate, "batch_size": size.batch_size, "warmup_steps": _PAPER_WARMUP}
    phases = ("memorize", "generalize", "fine_tune", "repurpose")
    return {**{name: dict(phase) for name in phases}, "retain": {"batch_size": size.batch_size}}
