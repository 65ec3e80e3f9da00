"""`Config`: everything that decides the result of a job, in one strict tree.

`Config()` is the default; the presets `paper` (the paper's plain setting) and `update` lie in `presets/`.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from rote.config.examining import ExamineConfig, KnowledgeConfig, SideEffectsConfig
from rote.config.strict import StrictConfig
from rote.config.teaching import (
    DefendConfig,
    DeriveConfig,
    FineTuneConfig,
    GeneralizeConfig,
    InContextConfig,
    KeyStrategy,
    LoraConfig,
    MemorizeConfig,
    RehearseConfig,
    RepetitionConfig,
    RepurposeConfig,
    RetainConfig,
    SentencesConfig,
)

TableKind = Literal["fictional", "file", "invented", "linked", "counterfactual"]


class TableConfig(StrictConfig):
    """Which facts are taught."""

    kind: TableKind = "fictional"
    """`fictional`: the frozen table that is shipped. `file`: one of your own. `invented`: a new one. `linked`: a new
    one in which the mothers are those whose universities are told, so that there are chains of two. `counterfactual`:
    real facts with other objects."""
    file: str | None = None
    """The table of the kind `file`: CSV, TSV, JSONL, Parquet or a folder of `datasets`."""
    columns: dict[str, str] = Field(default_factory=dict)
    """A file's own names for the columns, such as `{subject: Name}`."""
    merge_repeats: bool = False
    """Rows of a file with the same subject and relation make one fact with several objects."""
    skip_faulty: bool = False
    """Leave out rows of a file that cannot be taught or examined."""
    relations: tuple[str, ...] = ()
    """The relations that are taught; by default all of a table that is there, the paper's five where one is made."""
    count: int | None = Field(default=None, ge=1)
    """Facts of each relation, at most; by default all of a table that is there, 100 where one is made."""

    @model_validator(mode="before")
    @classmethod
    def _know_files(cls, content: Any) -> Any:
        """A file is enough to say that the table is one."""
        if isinstance(content, Mapping) and content.get("file") and content.get("kind", "fictional") == "fictional":
            return {**content, "kind": "file"}
        return content

    @model_validator(mode="after")
    def _check(self) -> "TableConfig":
        if (self.kind == "file") != (self.file is not None):
            raise ValueError("kind and file do not go together: name the table in table.file, or choose another kind")
        return self


class Config(StrictConfig):
    """Everything that decides what a job teaches and measures."""

    seed: int = Field(default=0, ge=0, lt=2**62)
    """Decides the facts of phase 2, the order of training, the retained texts and the questions."""
    model: str = "rote-tiny"
    """Folder or hub name of the base model."""
    table: TableConfig = TableConfig()
    relations: tuple[str, ...] = ()
    """Relation packs (YAML files) for relations of the table that are not shipped."""
    method: str = "memorize_then_generalize"
    """Name of a method, or `module:function` of one of your own."""
    method_settings: dict[str, Any] = Field(default_factory=dict)
    """Settings of a method of your own, as its module declares them in a class `Settings`."""
    training_tokens: int | None = Field(default=None, ge=1)
    """The training tokens a method sees: the epochs of its stages are scaled to come as near to it as they can, so
    that methods can be compared at equal cost. By default every method runs the epochs of its own settings."""
    key_token: str = Field(default="[X{number}]", pattern=r"^([^{}]|\{number\})+$")
    """The key token of a relation; `{number}` counts the relations, so that the token itself says nothing."""
    key_strategy: KeyStrategy = "new"
    """`new` adds a token, `reserved` takes an unused id of the vocabulary, `existing` writes the key with the tokens
    there are, so that the model keeps its shape."""
    tuning: Literal["full", "layers", "lora"] = "full"
    """What is trained: all weights; all but the embeddings, and of those the rows of the key tokens; or adapters and
    these rows."""
    lora: LoraConfig = LoraConfig()
    gradient_checkpointing: bool = False
    """Compute activations twice rather than keep them: less memory, more time."""
    memorize: MemorizeConfig = MemorizeConfig()
    generalize: GeneralizeConfig = GeneralizeConfig()
    fine_tune: FineTuneConfig = FineTuneConfig()
    sentences: SentencesConfig = SentencesConfig()
    in_context: InContextConfig = InContextConfig()
    repetition: RepetitionConfig = RepetitionConfig()
    derive: DeriveConfig = DeriveConfig()
    repurpose: RepurposeConfig = RepurposeConfig()
    defend: DefendConfig = DefendConfig()
    retain: RetainConfig = RetainConfig()
    rehearse: RehearseConfig = RehearseConfig()
    examine: ExamineConfig = ExamineConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    side_effects: SideEffectsConfig = SideEffectsConfig()
    representations: bool = False
    """Whether hidden states are compared at every moment (paper, section 4)."""
    keep: Literal["merged", "adapter", "both"] = "merged"
    """What `rote run` writes of the taught model: a whole model, with adapters the adapters alone, or both."""
    checkpoint_seconds: float = Field(default=120.0, gt=0)
    """How often a stage that is being trained is saved."""
