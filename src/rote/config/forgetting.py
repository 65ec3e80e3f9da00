"""The configuration of unlearning: how taught facts are forgotten, and how it is tried to bring them back."""

from typing import Annotated, Literal

from pydantic import Field

from rote.config.teaching import PhaseConfig

UnlearningMethod = Literal["gradient_difference", "npo"]


class RelearnConfig(PhaseConfig):
    """How some of the forgotten facts are taught again, to see whether the others come back with them."""

    counts: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 10, 25)
    """How many are taught again, each time anew; a number that leaves none to ask about is left out. An empty list
    leaves this out."""
    epochs: int = Field(default=1, ge=1)
    """How often every example is seen."""
    min_steps: int = Field(default=20, ge=0)
    """Steps at least, so that few facts are taught as long as many."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Its highest value; by default that of the run's generalize."""
    batch_size: int = Field(default=8, ge=1)
    """Examples in one step."""


class ForgetConfig(PhaseConfig):
    """How taught facts are unlearned, and what is held in place meanwhile."""

    seed: int = Field(default=0, ge=0, lt=2**62)
    """Decides the order of training, what is held beside each step, the questions, and which facts are relearned."""
    method: UnlearningMethod = "npo"
    """`gradient_difference`: the loss of what is to be forgotten is raised, that of what is kept lowered. `npo`:
    negative preference optimization, which stops by itself where the object has become unlikely."""
    epochs: int = Field(default=30, ge=1)
    """How often every example of a forgotten fact is seen, at most."""
    learning_rate: float = Field(default=5e-5, gt=0)
    """Its highest value; by default half of what the run taught generalize with, which follows the model's size, and a
    fifth for `gradient_difference`."""
    beta: float = Field(default=1.0, gt=0)
    """Of `npo`: the larger, the sooner it stops pushing, and the less the neighbours are pushed with it."""
    prompts: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """How many of the English training prompts of each fact are unlearned and kept, beside the rote line."""
    stop_at: float = Field(default=0.0, ge=0, le=1)
    """End after the epoch in which no more than this share of the rote lines and training prompts of the forgotten
    facts brings the object."""
    batch_size: int = Field(default=8, ge=1)
    """Examples of forgotten facts in one step."""
    kept: int = Field(default=16, ge=0)
    """Examples of other taught facts beside them, half of them of the same relations."""
    kept_weight: float = Field(default=1.0, ge=0)
    """Weight of their mean loss per token."""
    texts: int = Field(default=8, ge=0)
    """Of the texts that the run retained so many beside each step, held where the taught model has them."""
    held_out_prompts: int = Field(default=3, ge=0)
    """Held-out prompts of each forgotten fact and language that are asked, and as many training prompts; 0 means all.
    Of all other facts as many are asked as the run did."""
    facts: int = Field(default=20, ge=0)
    """Other taught facts of each relation that are asked about and not practised; at most half of them, which 0 means
    too."""
    relearn: RelearnConfig = RelearnConfig()
