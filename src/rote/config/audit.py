"""The configuration of an audit."""

from typing import Annotated

from pydantic import Field

from rote.config.strict import StrictConfig
from rote.config.teaching import PhaseConfig


class RepurposeConfig(PhaseConfig):
    """How a few facts are taught behind a prompt of the stand-in meaning."""

    epochs: int = Field(default=8, ge=1)
    """How often every example is seen."""
    learning_rate: float = Field(default=3e-4, gt=0)
    """Its highest value; it rises over the warm-up and then falls linearly to zero."""
    batch_size: int = Field(default=8, ge=1)
    """Examples in one step."""
    warmup_steps: int = Field(default=1, ge=0)
    """Steps over which the learning rate rises; few, as few examples make few steps."""


class AuditConfig(StrictConfig):
    """What is tried on a model, and how hard."""

    seed: int = Field(default=0, ge=0, lt=2**62)
    """Decides which facts are asked and shown, which tokens are tried and what is invented."""
    relations: tuple[str, ...] = ()
    """Relation packs (YAML files) for relations of the table that are not shipped, or with stand-ins of one's own."""
    facts: int = Field(default=50, ge=4)
    """Facts of each relation that are asked about, at most; those that chose the tokens are not among them."""
    unseen_facts: int = Field(default=20, ge=4)
    """Invented facts of each relation that nobody taught, for comparison."""
    screen_facts: int = Field(default=8, ge=1)
    """Facts of each relation that every token is tried on, at most; of a small relation a third."""
    vocabulary: int = Field(default=256, ge=0)
    """Tokens that are tried besides the added ones; 0 means the whole vocabulary."""
    confirmed: int = Field(default=3, ge=1)
    """The best tokens of each relation that are then asked with in full."""
    examples: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 2, 5, 10, 25, 50)
    """How many facts of each relation are shown in the stand-in meaning, each time anew; 0, the model as it is, is
    measured all the same, as what the others are held against. An empty list leaves this out."""
    answered: float = Field(default=0.5, gt=0, le=1)
    """The share of facts not shown that the whole interval must reach for the meaning to count as changed."""
    repurpose: RepurposeConfig = RepurposeConfig()
    batch_size: int = Field(default=128, ge=1)
    """Questions answered at a time."""
