"""What a method is: from a table and a model to the stages of training, each a list of examples and how to see them.

A method is a function `(LanguageModel, Task) -> Teaching`. It may give the model key tokens; it trains nothing itself.
So every method gets the same facts, its training tokens can be counted before anything is trained, and two methods
that begin alike can share the work. `docs/methods.md` shows how to add one.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from rote.config.job import Config
from rote.config.strict import StrictConfig
from rote.config.teaching import PhaseConfig
from rote.encoding.example import Example, collate, encode
from rote.encoding.noise import Noise
from rote.facts.fact import Fact
from rote.facts.relation import Relation
from rote.facts.text import Text
from rote.methods.contrasts import Contrasts
from rote.methods.unlearning import Unlearning
from rote.models.adapters import add_adapters
from rote.models.attention import only_attention
from rote.models.frozen_tables import freeze_tables
from rote.models.language_model import LanguageModel
from rote.retention.penalty import Retention
from rote.training.loop import Checkpointing, LoopPlan, Term, run_loop
from rote.training.losses import can_pack, next_token_loss
from rote.training.optimizer import OptimizerSettings

NO_SETTINGS = StrictConfig()

Progress = Callable[[int, int, float], None]
Evaluator = Callable[[], dict[str, float]]
"""Measures the model as it stands; called at the end of every epoch."""


@dataclass(frozen=True)
class Stage:
    """One stretch of training. `name` is the moment its records carry."""

    name: str
    examples: Sequence[Example]
    settings: PhaseConfig
    retains: bool = False
    """Whether what the model knew is held in place during it."""
    stop_at_recall: float | None = None
    """End it early once the evaluator measures so much `key_recall`."""
    finish: Callable[[LanguageModel], None] | None = None
    """Changes the model after the last step (a defence); it must always do the same."""
    shown: Sequence[Fact] = ()
    """The facts of the table whose natural prompts are trained on, which an examination keeps apart."""
    only_attention: bool = False
    """Whether the attention layers alone are trained."""
    noise: Noise | None = None
    """What surrounds the examples, newly drawn each time one is seen."""
    contrasts: Contrasts | None = None
    """What stands beside the examples and is held where the untrained model had it."""
    earlier: int = 0
    """How many of the examples, the last ones, are of earlier tables."""
    rehearsed: int = 0
    """How many of those are seen in one epoch, drawn anew each time."""

    @property
    def own(self) -> int:
        """How many of the examples are of the table itself, and seen in every epoch."""
        return len(self.examples) - self.earlier

    @property
    def seen_per_epoch(self) -> int:
        """Examples seen in one epoch."""
        return self.own + self.rehearsed

    unlearning: Unlearning | None = None
    """What is done with the examples where they are not to be learned but forgotten."""
    evaluator: Evaluator | None = None
    """Measures the model at the end of every epoch in the place of whatever the job would."""
    should_stop: Callable[[Sequence[Mapping[str, Any]]], bool] = field(default=lambda _: False)
    """Ends it early by its history."""

    @property
    def tokens_per_epoch(self) -> int:
        """Tokens seen in one epoch, noise and contrasts too, and what is rehearsed on average; over all epochs, the
        measure by which methods are compared."""
        noise = self.noise.mean_tokens if self.noise else 0
        contrasts = self.contrasts.tokens_per_example if self.contrasts else 0
        lengths = [len(example.ids) for example in self.examples]
        earlier = round(sum(lengths[self.own :]) * self.rehearsed / max(1, self.earlier))
        return sum(lengths[: self.own]) + earlier + round((noise + contrasts) * self.seen_per_epoch)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one epoch."""
        return self.settings.count_steps(self.seen_per_epoch)

    @property
    def epochs(self) -> int:
        """How often every example of the table is seen, as often as if nothing were rehearsed beside it."""
        return self.settings.count_epochs(self.own)


@dataclass(frozen=True)
class Task:
    """What every method is given: the facts, those that may be shown behind prompts, and the settings."""

    facts: Sequence[Fact]
    generalize_facts: Sequence[Fact]
    relations: Mapping[str, Relation]
    config: Config
    settings: StrictConfig = NO_SETTINGS
    """Settings of a method of one's own, as its module declares them in a class `Settings`."""
    derived_facts: Sequence[Fact] = ()
    """All facts that follow from the table and are asked about."""
    derived_shown: Sequence[Fact] = ()
    """Those of them that are shown behind prompts."""
    spare_facts: Sequence[Fact] = ()
    """Real facts that may be shown beside those of the table; never those that are asked about."""
    earlier_facts: Sequence[Fact] = ()
    """Facts of tables that the model was taught before, as far as they still hold."""
    earlier_shown: Sequence[Fact] = ()
    """Those of them that were shown behind prompts."""
    rehearsal: bool = False
    """Whether the stages are only timed: of what takes long to prepare a little will do."""


@dataclass(frozen=True)
class Teaching:
    """What a method wants done."""

    stages: Sequence[Stage] = ()
    contextualize: Callable[[Fact, Text], Text] | None = None
    """Changes the text of every question (in-context learning); asked as the moment `in_context`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """A name for the group a fact is in, by the fact's id, where a method treats facts differently."""


Method = Callable[[LanguageModel, Task], Teaching]


@dataclass(frozen=True)
class PhaseContext:
    """What training is given besides the facts: order, retention, and where to report and to save."""

    seed: int = 0
    retention: Retention | None = None
    checkpointing: Checkpointing | None = None
    on_progress: Progress | None = None
    evaluator: Evaluator | None = None


def encode_all(language_model: LanguageModel, texts: Sequence[Text], **options: Any) -> list[Example]:
    """Encode texts, the loss on the object alone unless `loss_target` says otherwise."""
    return [encode(language_model.tokenizer, text, **options) for text in texts]


def prepare_tuning(language_model: LanguageModel, config: Config) -> None:
    """What is trained, and checkpointing of activations where it is asked for; key tokens come first."""
    if config.tuning == "lora":
        add_adapters(language_model, config.lora, seed=config.seed)
    elif config.tuning == "layers":
        freeze_tables(language_model)
    if config.gradient_checkpointing:
        model: Any = language_model.model
        model.gradient_checkpointing_enable({"use_reentrant": False})


def train_stage(
    language_model: LanguageModel, stage: Stage, context: PhaseContext = PhaseContext()
) -> list[dict[str, Any]]:
    """Train one stage in place. Returns the history, one entry per update.

    The examples come in an order that depends on seed and epoch alone.
    """
    settings = stage.settings
    retention = context.retention if stage.retains else None
    per_epoch = stage.steps_per_epoch
    plan = LoopPlan(
        steps=per_epoch * stage.epochs,
        build_terms=lambda step: _build_terms(language_model, stage, context.seed, step, retention),
        after_step=lambda step: _measure(stage.evaluator or context.evaluator, step, per_epoch),
        should_stop=lambda history: _is_recalled(history, stage.stop_at_recall) or stage.should_stop(history),
        seed=f"{stage.name}/{context.seed}",
        pack=can_pack(language_model.model),
        join=not settings.micro_batch_size,
    )
    optimizer = OptimizerSettings(settings.learning_rate, settings.warmup_steps, weight_decay=settings.weight_decay)
    with only_attention(language_model.model) if stage.only_attention else nullcontext():
        state = run_loop(
            language_model.model,
            plan,
            optimizer,
            checkpointing=context.checkpointing,
            on_progress=context.on_progress,
        )
    if stage.finish:
        stage.finish(language_model)
    return state.history


def _build_terms(
    language_model: LanguageModel, stage: Stage, seed: int, step: int, retention: Retention | None
) -> list[Term]:
    """The examples of one step and the texts to retain beside them."""
    settings = stage.settings
    epoch, index = divmod(step, stage.steps_per_epoch)
    order = draw_order(stage.own, seed, epoch, earlier=stage.earlier, rehearsed=stage.rehearsed)
    chosen = order[index * settings.batch_size : (index + 1) * settings.batch_size]
    if stage.unlearning:
        terms = stage.unlearning.build_terms(chosen, step)
    else:
        members = [_see(stage, number, f"{seed}/{epoch}") for number in chosen]
        terms = _learn(language_model, members, settings.micro_batch_size)
    if stage.contrasts:
        terms += stage.contrasts.build_terms(step, len(chosen), micro_batch_size=settings.micro_batch_size)
    return [*terms, *retention.build_terms(step, micro_batch_size=settings.micro_batch_size)] if retention else terms


def _learn(language_model: LanguageModel, members: Sequence[Example], micro_batch_size: int) -> list[Term]:
    """The mean loss per token of some examples, so many of which are in memory at once."""
    pad_id = language_model.tokenizer.pad_token_id or 0
    size = micro_batch_size or len(members)
    parts = [members[start : start + size] for start in range(0, len(members), size)]
    batches = [collate([(member.ids, member.labels) for member in part], pad_id=pad_id) for part in parts]
    targets = sum(batch.target_count for batch in batches)
    return [Term(batch, next_token_loss, 1.0 / targets) for batch in batches]


def _see(stage: Stage, number: int, when: str) -> Example:
    """An example as it is seen in one epoch."""
    example = stage.examples[number]
    return stage.noise.surround(number, example, random.Random(f"noise/{when}/{number}")) if stage.noise else example


@lru_cache(maxsize=1)
def draw_order(count: int, seed: int, epoch: int, *, earlier: int = 0, rehearsed: int = 0) -> Sequence[int]:
    """The order of the examples in one epoch, drawn once for all its steps: a draw takes as long as the table.

    Behind the first `count` lie `earlier` others, of which each epoch sees some (`rehearsed`), all of them about as
    often over the epochs: they are dealt out in rounds.
    """
    order = [*range(count), *(count + number for number in _deal(earlier, rehearsed, seed, epoch))]
    random.Random(f"order/{seed}/{epoch}").shuffle(order)
    return order


def _deal(count: int, share: int, seed: int, epoch: int) -> list[int]:
    """The numbers below `count` that are due in one epoch: the next `share` (at most all) of shuffled rounds."""
    places = range(epoch * share, (epoch + 1) * share)
    rounds = {place // count: random.Random(f"rehearse/{seed}/{place // count}") for place in places}
    decks = {number: draw.sample(range(count), count) for number, draw in rounds.items()}
    return [decks[place // count][place % count] for place in places]


def fit_tokens(teaching: Teaching, tokens: int) -> Teaching:
    """The same stages with their epochs scaled so that they see about so many training tokens in all."""
    planned = sum(stage.tokens_per_epoch * stage.epochs for stage in teaching.stages)
    factor = tokens / planned if planned else 1.0
    stages = [
        replace(stage, settings=stage.settings.with_epochs(_scale(stage.epochs, factor))) for stage in teaching.stages
    ]
    return replace(teaching, stages=stages)


def _scale(epochs: int, factor: float) -> int:
    """A phase that is switched off stays so; any other has an epoch at least."""
    return max(1, round(epochs * factor)) if epochs else 0


def _measure(evaluator: Evaluator | None, step: int, per_epoch: int) -> dict[str, Any]:
    epoch, rest = divmod(step, per_epoch)
    if rest or evaluator is None:
        return {"epoch": step / per_epoch}
    return {"epoch": float(epoch), **evaluator()}


def _is_recalled(history: Sequence[Mapping[str, Any]], wanted: float | None) -> bool:
    return wanted is not None and bool(history) and history[-1].get("key_recall", 0.0) >= wanted
