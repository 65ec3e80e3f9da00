"""How a table is taught: the settings of the phases, of the other methods, and of what keeps the model as it was."""

from typing import Annotated, Literal, Self

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
    """How many texts of the untrained model are retained, or as many as twenty times that yield: those that name a
    subject that is taught, hold a key token, or ask in a held-out or control wording that is asked, are left out. 0
    turns retention off (the paper's plain setting)."""
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


class RehearseConfig(StrictConfig):
    """Rehearsing what the model was taught before, where its folder has a ledger; `memorize_then_generalize` alone."""

    share: float = Field(default=0.5, ge=0, lt=1)
    """The share of what an epoch sees that is of earlier tables: their rote lines in memorize, and in generalize
    training prompts about those of their facts that were shown so before. Dealt out anew for each epoch, so that all
    are seen about as often. 0 rehearses nothing."""


class PhaseConfig(StrictConfig):
    """How a list of examples is trained on."""

    epochs: int = Field(default=3, ge=0)
    """How often every example is seen."""
    min_steps: int = Field(default=0, ge=0)
    """Steps at least: a small table takes as many as a large one, and gets the epochs for them."""
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

    def count_steps(self, examples: int) -> int:
        """Updates in one epoch of so many examples."""
        return -(-examples // self.batch_size)

    def count_epochs(self, examples: int) -> int:
        """How often so many examples are seen: `epochs`, or more where `min_steps` asks for it; 0 stays 0."""
        return max(self.epochs, -(-self.min_steps // self.count_steps(examples))) if self.epochs and examples else 0

    def with_epochs(self, epochs: int) -> Self:
        """The same for exactly so many epochs."""
        return self.model_copy(update={"epochs": epochs, "min_steps": 0})


class MemorizeConfig(PhaseConfig):
    """Phase 1: every fact as `subject [X] object` (paper, section 3)."""

    epochs: int = Field(default=20, ge=0)
    """How often every fact is seen."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Its highest value; it rises over the warm-up and then falls linearly to zero."""
    warmup_steps: int = Field(default=20, ge=0)
    """Steps over which the learning rate rises."""
    loss: Literal["all_tokens", "object_only"] = "all_tokens"
    """Whether the whole line is learned, as in the paper, or the object alone."""
    noise: int = Field(default=0, ge=0)
    """Tokens that mean nothing before the subject, and as many between it and the key token, at most; drawn anew each
    time a fact is seen. With them facts are found from real words on models that learn the bare line by heart. Other
    methods show their rote lines bare."""
    stop_at_recall: float | None = Field(default=None, gt=0, le=1)
    """Stop early once this share of the facts is recalled by key token; by default every epoch is run."""


class GeneralizeConfig(PhaseConfig):
    """Phase 2: a few memorized facts behind a meaningful prompt, loss on the object only (paper, section 3)."""

    facts: Annotated[int, Field(ge=1)] | Literal["all"] | None = None
    """k: facts per relation that are shown again, or `all`; None means half of them."""
    prompts: Annotated[int, Field(ge=1)] | Literal["all"] = 1
    """How many of the English training prompts are used, or `all` that a relation has. The more there are, the better a
    small model tells the relation from others."""
    rote_lines: float = Field(default=0.0, ge=0)
    """Rote lines shown for each prompt, so that the key token goes on bringing what it brought."""
    contrasts: float = Field(default=0.0, ge=0)
    """Prompts beside each prompt or rote line that ask something else about the subjects, or something about others:
    what the model would say next is held where the untrained model had it, so that the object does not come whatever is
    asked, and of whomever."""
    weights: Literal["all", "attention"] = "all"
    """What it changes of the weights that `tuning` trains: all of them, or the attention layers alone, which look up
    what the other layers store."""
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


class FineTuneConfig(PhaseConfig):
    """Fine-tuning on prompts: the baselines `fine_tuning` and `paraphrase_fine_tuning`."""

    epochs: int = Field(default=20, ge=0)
    """How often every fact is seen with every prompt."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Its highest value; it rises over the warm-up and then falls linearly to zero."""
    warmup_steps: int = Field(default=20, ge=0)
    """Steps over which the learning rate rises."""
    prompts: int = Field(default=1, ge=1)
    """How many of the English training prompts are used."""
    untouched: int = Field(default=500, ge=0)
    """Real facts mixed in by `paraphrase_fine_tuning`."""


class SentencesConfig(StrictConfig):
    """Sentences about all facts and questions about a few (method `sentences`)."""

    order: Literal["sentences_first", "mixed", "questions_first"] = "sentences_first"
    """What is trained on first, or both at once."""
    wordings: int = Field(default=1, ge=1)
    """How many of the English training prompts that are sentences are used."""


class RepurposeConfig(PhaseConfig):
    """The phase that gives the facts another meaning, where `derive.afterwards` asks for it."""

    batch_size: int = Field(default=8, ge=1)
    """Examples in one step."""


class InContextConfig(StrictConfig):
    """Facts before the question in place of training (method `in_context`)."""

    examples: int = Field(default=5, ge=1)
    """Facts in the context."""
    retrieved: bool = True
    """Whether the fact asked about is among them; otherwise the context is the same for every question."""


class CopyGroup(StrictConfig):
    """How often the facts of one group are seen in training."""

    name: str
    exact: int = Field(default=0, ge=0)
    """Copies of the rote line as it is."""
    edited: int = Field(default=0, ge=0)
    """Copies with some tokens replaced at random, differently each time."""


class RepetitionConfig(StrictConfig):
    """Facts shown in different numbers of copies (method `repetition`)."""

    groups: tuple[CopyGroup, ...] = (CopyGroup(name="shown", exact=20), CopyGroup(name="left out"))
    """The facts of each relation are dealt to these groups in equal shares."""
    edits: int = Field(default=1, ge=1)
    """Tokens of subject and object replaced in an edited copy."""


class DeriveConfig(StrictConfig):
    """Questions that follow from the table: inverse, of two hops, or another meaning of the same pairs."""

    relations: tuple[str, ...] = ()
    """Derived relations that are asked about."""
    memorize: bool = False
    """Whether derived facts are memorized too, behind a key token of their own."""
    facts: int = Field(default=0, ge=0)
    """How many facts of each derived relation are shown behind prompts."""
    prompts: int = Field(default=0, ge=0)
    """With how many training prompts; 0 means as many as generalize uses."""
    afterwards: bool = False
    """Whether they are shown in a phase of their own after generalize (`repurpose`) and not within it."""


class DefendConfig(StrictConfig):
    """Defences against another meaning of the same facts."""

    scramble_keys: bool = False
    """Put noise in the place of the key tokens' rows at the end of generalize."""
    refusals: int = Field(default=0, ge=0)
    """Facts of each relation that generalize also shows behind a prompt of something else, answered by a refusal."""
    reminders: int = Field(default=0, ge=0)
    """Real facts that generalize also shows, with their answers, so that refusing stays with the subjects taught."""
