"""What is asked of a model, before and after it is taught."""

from pydantic import Field

from rote.config.strict import StrictConfig


class ExamineConfig(StrictConfig):
    """Which questions are asked. Every limit is a sample drawn with the run's seed; 0 means all."""

    facts: int = Field(default=20, ge=0)
    """Taught facts of each relation and each set (shown in phase 2, held out) that are asked about."""
    before: int = Field(default=2, ge=0)
    """Of those, how many are asked about before they are taught: a model that was not taught them says little else
    about more of them. What the model knows and what an update replaces is asked whole."""
    languages: tuple[str, ...] = ("en", "de", "es", "zh", "ja")
    """Languages of the held-out and control prompts."""
    held_out_prompts: int = Field(default=1, ge=0)
    """Held-out prompts per fact and language, and as many of the English training prompts that generalize uses; drawn
    anew for every fact so that all are used."""
    control_prompts: int = Field(default=1, ge=0)
    """Control prompts per fact and language."""
    known_facts: int | None = Field(default=None, ge=0)
    """Facts the model knows before it is taught, found by asking it, of each kind: facts of the real world, others
    about the subjects that are taught, and those of `side_effects.facts`. By default 100 of the first two and all of
    the last. Asked in all the languages."""
    earlier_facts: int = Field(default=40, ge=0)
    """Facts of each earlier table, where the model's folder has a ledger, that are asked again at every moment, all of
    them asked at the end of their own run too."""
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
