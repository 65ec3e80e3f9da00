"""The configuration of a trial: one run of an experiment, with any method, table and kind of question.

`TrialConfig()` is the paper's plain setting: nothing is retained, nothing derived is asked.
"""

from typing import Literal

from pydantic import Field

from rote.config.run import ExamineConfig, GeneralizeConfig, LoraConfig, MemorizeConfig, PhaseConfig, RetainConfig
from rote.config.strict import StrictConfig


class TableConfig(StrictConfig):
    """Which facts are taught."""

    kind: Literal["fictional", "invented", "linked", "counterfactual"] = "fictional"
    """`fictional`: the frozen table. `invented`: a new one. `linked`: a new one in which the mothers are those whose
    universities are told, so that there are chains of two. `counterfactual`: real facts with other objects."""
    relations: tuple[str, ...] = ("author", "capital", "educated_at", "genre", "mother")
    """The relations of the table; of the frozen table, those that are kept."""
    count: int = Field(default=100, ge=1)
    """Facts of each relation, at most."""


class FineTuneConfig(PhaseConfig):
    """Fine-tuning on prompts: the baselines `fine_tuning` and `paraphrase_fine_tuning`."""

    epochs: int = Field(default=20, ge=0)
    """How often every fact is seen with every prompt."""
    learning_rate: float = Field(default=4e-4, gt=0)
    """Its highest value; it rises over the warm-up and then falls linearly to zero."""
    warmup_steps: int = Field(default=20, ge=0)
    """Steps over which the learning rate rises."""
    prompts: int = Field(default=1, ge=1)
    """How many of the English training prompts are used."""
    untouched: int = Field(default=500, ge=0)
    """Real facts mixed in by `paraphrase_fine_tuning`."""


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


class TrialConfig(StrictConfig):
    """Everything that decides what a trial measures."""

    seed: int = 0
    """Decides the facts of phase 2, the order of training and the questions."""
    model: str = "rote-tiny"
    """Folder or hub name of the base model."""
    table: TableConfig = TableConfig()
    method: str = "memorize_then_generalize"
    """Name of a method, or `module:function` of one's own."""
    key_token: str = Field(default="[X{number}]", pattern=r"^([^{}]|\{number\})+$")
    """The key token of a relation."""
    memorize: MemorizeConfig = MemorizeConfig(learning_rate=4e-4)
    generalize: GeneralizeConfig = GeneralizeConfig(facts=50)
    fine_tune: FineTuneConfig = FineTuneConfig()
    lora: LoraConfig = LoraConfig()
    in_context: InContextConfig = InContextConfig()
    repetition: RepetitionConfig = RepetitionConfig()
    derive: DeriveConfig = DeriveConfig()
    repurpose: PhaseConfig = PhaseConfig(batch_size=8)
    """The phase that gives the facts another meaning, where `derive.afterwards` asks for it."""
    defend: DefendConfig = DefendConfig()
    retain: RetainConfig = RetainConfig(texts=0)
    """Holding in place what the model knew; off, as in the paper."""
    examine: ExamineConfig = ExamineConfig(languages=("en",), choices=0, unseen_facts=0)
    representations: bool = False
    """Whether hidden states are compared at every moment (paper, section 4)."""
