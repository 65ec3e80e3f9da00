"""The configuration of a run: one typed tree, its YAML form, and changes by `--set`.

`RunConfig()` is the default. `configs/paper.yaml` holds the plain settings of the paper.
"""

from pydantic import Field

from rote.config.strict import StrictConfig


class RetainConfig(StrictConfig):
    """Keeping what the model knew: text it wrote itself before training is shown again while it memorizes.

    The trained model is tied to the untrained one on that text (KL divergence), so no corpus is needed.
    """

    texts: int = Field(default=1000, ge=0)
    """How many texts the untrained model writes; 0 turns retention off (the paper's plain setting)."""
    tokens: int = Field(default=40, ge=4)
    """The most tokens a text has."""
    batch_size: int = Field(default=16, ge=1)
    """Texts beside each batch of facts."""
    weight: float = Field(default=1.0, ge=0)
    """Weight of the mean divergence per token against the mean loss per token of the facts; at 0 the texts are written,
    and known facts are chosen from outside them, but nothing is retained."""


class PhaseConfig(StrictConfig):
    """How a list of examples is trained on."""

    epochs: int = Field(default=3, ge=0)
    """How often every example is seen."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Its highest value; it rises over the warm-up and then falls linearly to zero."""
    batch_size: int = Field(default=16, ge=1)
    """Examples in one step."""
    warmup_steps: int = Field(default=5, ge=0)
    """Steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay of AdamW."""


class MemorizeConfig(PhaseConfig):
    """Phase 1: every fact as `subject [X] object`, loss on all tokens (paper, section 3)."""

    epochs: int = Field(default=20, ge=0)
    """How often every fact is seen."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Its highest value; it rises over the warm-up and then falls linearly to zero."""
    warmup_steps: int = Field(default=20, ge=0)
    """Steps over which the learning rate rises."""
    stop_at_recall: float | None = Field(default=None, gt=0, le=1)
    """Stop early once this share of the facts is recalled by key token; by default every epoch is run."""


class GeneralizeConfig(PhaseConfig):
    """Phase 2: a few memorized facts behind a meaningful prompt, loss on the object only (paper, section 3)."""

    facts: int = Field(default=50, ge=1)
    """k: facts per relation that are shown again."""
    prompts: int = Field(default=1, ge=1)
    """How many of the English training prompts are used."""
    batch_size: int = Field(default=8, ge=1)
    """Examples in one step."""


class ExamineConfig(StrictConfig):
    """Which questions are asked. Every limit is a sample drawn with the run's seed; 0 means all."""

    facts: int = Field(default=20, ge=0)
    """Taught facts of each relation and each set (shown in phase 2, held out) that are asked about."""
    languages: tuple[str, ...] = ("en", "de", "es", "zh", "ja")
    """Languages of the held-out and control prompts."""
    held_out_prompts: int = Field(default=1, ge=0)
    """Held-out prompts per fact and language, drawn anew for every fact so that all are used."""
    control_prompts: int = Field(default=1, ge=0)
    """Control prompts per fact and language."""
    known_facts: int = Field(default=100, ge=0)
    """Facts of the real world, known to any good model before; asked in all the languages."""
    unseen_facts: int = Field(default=5, ge=0)
    """Invented facts per relation that are never taught; 0 means none."""
    choices: int = Field(default=100, ge=0)
    """Questions per moment that are also asked as a choice among 100; here 0 means none."""
    batch_size: int = Field(default=128, ge=1)
    """Questions answered at a time."""


class RunConfig(StrictConfig):
    """Everything that decides a run's result, with the table and the base model."""

    seed: int = 0
    """Decides the facts of phase 2, the order of training, the retained texts and the questions."""
    relations: tuple[str, ...] = ()
    """Relation packs (YAML files) for relations of the table that are not shipped."""
    key_token: str = Field(default="[X{number}]", pattern=r"^([^{}]|\{number\})+$")
    """The key token of a relation; `{number}` counts the relations, so that the token itself says nothing."""
    memorize: MemorizeConfig = MemorizeConfig()
    generalize: GeneralizeConfig = GeneralizeConfig()
    retain: RetainConfig = RetainConfig()
    examine: ExamineConfig = ExamineConfig()
    checkpoint_seconds: float = Field(default=120.0, gt=0)
    """How often a running phase is saved."""
