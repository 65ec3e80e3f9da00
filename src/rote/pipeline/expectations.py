"""What the default settings came to on the models that were measured: what to expect, told before a run.

`rote reproduce targets --model NAME --seeds 3` measures it (docs/real_models.md; of rote-tiny, RESULTS.md).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rote.models.embedded import EMBEDDED_NAME


class _Measured(NamedTuple):
    """Shares of held-out facts answered after generalize, means over seeds, and by how much known facts rose in
    held-out prompts. In English; control prompts and known facts of rote-tiny in five languages."""

    model: str
    parameters: float
    facts: str
    seeds: int
    training: float
    held_out: float
    control: float
    known: float


_ONE_RELATION = "100 facts of one relation"
_MEASURED = (
    _Measured("rote-tiny", 9.6e6, "500 facts of five relations", 3, 0.99, 0.88, 0.01, -0.06),
    _Measured("smollm2-135m", 134.5e6, _ONE_RELATION, 3, 0.83, 0.28, 0.02, 0.01),
    _Measured("gemma-3-270m", 268e6, _ONE_RELATION, 3, 1.00, 0.90, 0.20, -0.16),
)


def describe_expectations(parameters: int, own: Sequence[str] = ()) -> str:
    """What the measured model that is nearest in size came to, in a line; `own` are relations that are not shipped."""
    near = min(_MEASURED, key=lambda measured: abs(math.log(measured.parameters / parameters)))
    if own and near.model == EMBEDDED_NAME:
        return (
            f"no figure is known for {', '.join(own)}: {near.model} was pretrained on the shipped relations alone, and "
            "a model of its size learns others by heart at best; try a real model (rote models list)"
        )
    return (
        f"held-out facts {near.training:.2f} in training prompts, {near.held_out:.2f} in held-out prompts, "
        f"{near.control:.2f} in control prompts; known facts {near.known:+.2f} "
        f"(so it was, at default settings, on {near.model}, the measured model nearest in size: "
        f"{near.facts}, {near.seeds} seed(s))"
    )
