"""`FactRecall`: what a model knows while a `transformers.Trainer`, or one of TRL, trains it."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from rote.errors import ConfigError, ModelError
from rote.evaluation.examine import examine
from rote.evaluation.questions import QuestionPlan, build_questions
from rote.facts.checking import check_table
from rote.facts.fact import Fact, FactTable
from rote.facts.relation import Relation, add_neutral_relations, load_relations
from rote.records import QuestionSet, Record, build_frame

if TYPE_CHECKING:
    import pandas

NAMES: dict[QuestionSet, str] = {
    "key": "key_token",
    "training": "training_prompt",
    "held_out": "held_out_prompts",
    "chat": "chat_prompts",
    "control": "control_prompts",
}
"""The name of each set of questions in the log."""


@dataclass(frozen=True)
class _Trained:
    """A model under training, in whatever precision, with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class FactRecall(TrainerCallback):
    """Asks the model about facts before training, every `every_steps` steps, and at the end.

        recall = rote.FactRecall(table, every_steps=100).attach(trainer)
        trainer.train()

    The share of right answers goes into the trainer's log, and so to whatever it reports to, as `rote/training_prompt`,
    `rote/held_out_prompts` and `rote/control_prompts`; the mean probability of the object has `_probability` after
    that. With several languages each has a figure of its own, such as `rote/held_out_prompts/de`. Training is not
    touched: the same weights come out, bit for bit, with and without it.
    """

    def __init__(
        self,
        facts: FactTable | Iterable[Fact],
        relations: Mapping[str, Relation] | None = None,
        *,
        plan: QuestionPlan | None = None,
        every_steps: int = 100,
        batch_size: int = 64,
        sample: int | None = None,
    ) -> None:
        """`relations` are those of `rote.load_relations` by default, and `plan` says what is asked of each fact: by
        default one training prompt, two held-out and one control prompt, in English. `sample` asks so many of the
        facts, the same ones every time.

        Raises `ConfigError` for a number below 1; `TableError` or `TemplateError` for facts that cannot be asked for.
        """
        if min(every_steps, batch_size, 1 if sample is None else sample) < 1:
            raise ConfigError("FactRecall: every_steps, batch_size and sample are whole numbers from 1 on")
        table = FactTable(tuple(facts))
        packs = add_neutral_relations(load_relations() if relations is None else relations, table.relations)
        check_table(table, packs)
        plan = plan or QuestionPlan(choices=0)
        asked = _draw(table.facts, sample, plan.seed)
        # No Trainer says which of its texts showed a fact: all facts count as held out, as for any foreign model.
        self._questions = build_questions({"held_out": asked}, packs, plan=plan, pool=table.facts)
        self._every_steps = every_steps
        self._batch_size = batch_size
        self._trainer: Trainer | None = None
        self.records: list[Record] = []
        """One for each question and examination; its `moment` is `step 0`, `step 100` and so on."""

    def attach(self, trainer: Trainer) -> Self:
        """Follow a trainer, before it trains. Raises `ModelError` where it has no fast tokenizer."""
        _get_tokenizer(trainer)
        self._trainer = trainer
        trainer.add_callback(self)
        return self

    def to_pandas(self) -> "pandas.DataFrame":
        """The records as a data frame, with the step as a number. Raises `RoteError` where pandas is not installed."""
        frame = build_frame({"step": _read_step(record), **asdict(record)} for record in self.records)
        return frame.drop(columns="moment", errors="ignore")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Examine what the model knows before."""
        self._examine(state, control, kwargs["model"])

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Examine every `every_steps` steps and at the last one, where what the trainer reports to is still open."""
        if state.global_step % self._every_steps == 0 or state.global_step >= state.max_steps:
            self._examine(state, control, kwargs["model"])

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Examine at the end of a training that was stopped early."""
        if not self.records or _read_step(self.records[-1]) != state.global_step:
            self._examine(state, control, kwargs["model"])

    def _examine(self, state: TrainerState, control: TrainerControl, model: PreTrainedModel) -> None:
        if self._trainer is None:
            raise ConfigError(
                "FactRecall writes to the trainer's log: use FactRecall(...).attach(trainer), not callbacks=[...]"
            )
        found = examine(
            _Trained(model, _get_tokenizer(self._trainer)),
            self._questions,
            moment=f"step {state.global_step}",
            batch_size=self._batch_size,
        )
        self.records += found
        was_due = control.should_log
        # Not the `log` of a subclass: those of TRL add averages of their own and begin them anew. And whatever is
        # logged counts as the log of this step, so the loss that was due would be left out.
        Trainer.log(self._trainer, dict(compute_figures(found)))
        control.should_log = was_due


def compute_figures(records: Sequence[Record]) -> Iterator[tuple[str, float]]:
    """The figures of one examination by their names in the log: shares of right answers and mean probabilities."""
    groups: dict[tuple[QuestionSet, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.prompt_set, record.language), []).append(record)
    several = len({record.language for record in records if record.prompt_set in ("held_out", "control")}) > 1
    for (prompt_set, language), group in groups.items():
        place = f"/{language}" if several and prompt_set != "key" else ""
        yield f"rote/{NAMES[prompt_set]}{place}", fmean(record.correct for record in group)
        yield (
            f"rote/{NAMES[prompt_set]}_probability{place}",
            fmean(record.object_probability or 0.0 for record in group),
        )


def _draw(facts: Sequence[Fact], count: int | None, seed: int) -> Sequence[Fact]:
    """So many of the facts, in their order."""
    if count is None or count >= len(facts):
        return facts
    return [facts[index] for index in sorted(random.Random(seed).sample(range(len(facts)), count))]


def _get_tokenizer(trainer: Trainer) -> PreTrainedTokenizerBase:
    tokenizer = trainer.processing_class
    if not isinstance(tokenizer, PreTrainedTokenizerBase) or not tokenizer.is_fast:
        raise ModelError(
            "FactRecall needs a trainer with a fast tokenizer, which tells where each token begins: "
            "Trainer(..., processing_class=AutoTokenizer.from_pretrained(MODEL))"
        )
    return tokenizer


def _read_step(record: Record) -> int:
    return int(record.moment.split()[1])
