"""The configuration of a run: one typed tree, its YAML form, and changes by `--set`.

`RunConfig()` is the default. `configs/paper.yaml` holds the plain settings of the paper.
"""

from typing import Literal

from pydantic import Field

from rote.config.strict import StrictConfig

KeyStrategy = Literal["new", "reserved", "existing"]
"""Where a key token comes from: a token that is added, an unused id of the vocabulary, or tokens of ordinary text."""

RetentionLoss = Literal["kl", "replay"]
"""A penalty on the divergence from the untrained model, or training on the texts as they are."""


class RetainConfig(StrictConfig):
    """Keeping what the model knew: text it wrote itself before training is shown again while it memorizes.

    The trained model is tied to the untrained one on that text (KL divergence), so no corpus is needed.
    """

    texts: int = Field(default=1000, ge=0)
    """How many texts the untrained model writes; 0 turns retention off (the paper's plain setting)."""
    file: str | None = None
    """A text file whose lines take their place; `texts` of them are drawn."""
    subjects: int = Field(default=0, ge=0)
    """For updates: in how many training prompts each relation that is not taught of a subject is asked of it. What it
    answers to at least two of them is held too, but for what may be what is to be unlearned. 0 asks nothing."""
    loss: RetentionLoss = "kl"
    """`kl` ties the model to what it was on the texts; `replay` trains on them as they are."""
    generalize: bool = False
    """Whether they stand beside generalize too. It is short, so little is lost there; with many facts, as for an
    update, more is."""
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
    micro_batch_size: int = Field(default=0, ge=0)
    """Examples in memory at once; the gradients of a step are added up over them. 0 means the whole batch."""


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

    facts: int | None = Field(default=None, ge=1)
    """k: facts per relation that are shown again; None means half of them."""
    prompts: int = Field(default=1, ge=1)
    """How many of the English training prompts are used."""
    batch_size: int = Field(default=8, ge=1)
    """Examples in one step."""


class LoraConfig(StrictConfig):
    """Low-rank adapters in place of full fine-tuning (extra `lora`)."""

    rank: int = Field(default=16, ge=1)
    """Rank of every adapter."""
    alpha: float = Field(default=32.0, gt=0)
    """Scale of an adapter, divided by its rank."""
    learning_rate_factor: float = Field(default=5.0, gt=0)
    """Adapters learn at this multiple of a phase's learning rate."""


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


class KnowledgeConfig(StrictConfig):
    """What the model believes about each fact before it is taught, and about subjects that do not exist."""

    prompts: int = Field(default=2, ge=1)
    """English prompts of each fact: the first training prompt, then held-out ones."""
    samples: int = Field(default=3, ge=0)
    """Answers drawn at random to each prompt; what most of them repeat is said with confidence. 0 skips all this."""
    tokens: int = Field(default=16, ge=1)
    """The most tokens an answer has."""


class SideEffectsConfig(StrictConfig):
    """What else may change: other facts about the same subjects, of the same relations, everything else, and text."""

    budget: float = Field(default=0.02, ge=0)
    """The largest fall of accuracy, or rise of nats per token, that passes for none."""
    facts: str | None = None
    """A table of facts the model should keep, beside those of the real world that are shipped."""
    text: str | None = None
    """A text file that the model should foresee as well as before, line by line."""
    tasks: tuple[str, ...] = ()
    """Tasks of lm-evaluation-harness (extra `lm-eval`) that the model should do as well as before, by name."""
    task_folder: str | None = None
    """A folder of such tasks beside those that lm-eval brings, for example one that `rote export task` wrote."""
    task_limit: int = Field(default=100, ge=0)
    """The first so many questions of each task; 0 means all."""


class RunConfig(StrictConfig):
    """Everything that decides a run's result, with the table and the base model."""

    seed: int = 0
    """Decides the facts of phase 2, the order of training, the retained texts and the questions."""
    relations: tuple[str, ...] = ()
    """Relation packs (YAML files) for relations of the table that are not shipped."""
    key_token: str = Field(default="[X{number}]", pattern=r"^([^{}]|\{number\})+$")
    """The key token of a relation; `{number}` counts the relations, so that the token itself says nothing."""
    key_strategy: KeyStrategy = "new"
    """`new` adds a token, `reserved` takes an unused id of the vocabulary, `existing` writes the key with the tokens
    there are, so that the model keeps its shape."""
    tuning: Literal["full", "lora"] = "full"
    """Whether all weights are trained, or adapters and the rows of the key tokens."""
    lora: LoraConfig = LoraConfig()
    gradient_checkpointing: bool = False
    """Compute activations twice rather than keep them: less memory, more time."""
    memorize: MemorizeConfig = MemorizeConfig()
    generalize: GeneralizeConfig = GeneralizeConfig()
    retain: RetainConfig = RetainConfig()
    examine: ExamineConfig = ExamineConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    side_effects: SideEffectsConfig = SideEffectsConfig()
    save: Literal["merged", "adapter", "both"] = "merged"
    """What is written of a model with adapters: a whole model, the adapters alone, or both."""
    checkpoint_seconds: float = Field(default=120.0, gt=0)
    """How often a running phase is saved."""
