"""The stages of a job: each is trained once, kept by its content, and taken over by whatever job comes to it again.

The number of torch's threads decides the order of float sums, so it decides the last bits of a result; it is no part of
a stage's name, and a stage that is taken over was trained with the threads of the job that trained it.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rote.config.job import Config
from rote.config.teaching import LoraConfig, PhaseConfig
from rote.evaluation.examine import recall_by_key
from rote.facts.fact import Fact, hash_fact
from rote.facts.sampling import sample_facts
from rote.methods.registry import hash_method
from rote.methods.teaching import PhaseContext, Stage, train_stage
from rote.models.key_tokens import check_keys_moved, get_key_rows
from rote.models.language_model import LanguageModel
from rote.pipeline.plan import Plan
from rote.retention.penalty import Retention
from rote.runs.files import drop_file, is_kept, lock_file
from rote.runs.folder import keep_json, read_json
from rote.runs.manifest import compute_code_hash
from rote.runs.reporting import Advance, Reporter
from rote.runs.store import StageFolder, Store, hash_content
from rote.training.checkpoints import load_state, save_state
from rote.training.loop import Checkpointing
from rote.training.parallel import by_first, is_first_process

RECALL_SAMPLE = 100
"""Facts whose key-token recall is measured at the end of each epoch."""
_ROOMS = ("encoding", "models", "training", "retention", "methods")
"""The code that decides what a stage makes of its examples."""
_GATE = ("facts", "evaluation")
"""The code that decides when a stage with a recall gate ends."""


@dataclass
class Work:
    """One job under way: what it shall do, where it keeps what is done, and how long that took."""

    plan: Plan
    language_model: LanguageModel
    model_hash: str
    store: Store
    reporter: Reporter
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """The settings of the job."""
        return self.plan.config

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """Show a step and add the time it took."""
        begin = time.monotonic()
        with self.reporter.step(label) as advance:
            yield advance
        self.seconds[label] = self.seconds.get(label, 0.0) + time.monotonic() - begin


def make_once(path: Path, make: Callable[[], Any]) -> Any:
    """The JSON content of a file of the store; made and kept where it is not there."""
    if not by_first(lambda: is_kept(path)):
        content = make()
        by_first(lambda: keep_json(path, content))
    return read_json(path)


class Stages:
    """The stages of a method, and which of them the weights in memory have reached."""

    def __init__(self, work: Work, stages: Sequence[Stage], retention: Retention | None, retained: str) -> None:
        """`retained` names the texts that `retention` holds."""
        self._work = work
        self._stages = [fit_adapters(stage, work.config) for stage in stages]
        self._retention = retention
        self._at = 0
        self.names = [self._name_start()]
        for stage in self._stages:
            self.names.append(_name_stage(self.names[-1], stage, work.config, retained))

    def reach(self, index: int) -> None:
        """Bring the weights in memory to the end of the stage at `index`, counted from 1."""
        self._at = next((number for number in range(index, self._at, -1) if self._take_over(number)), self._at)
        while self._at < index:
            self._at += 1
            self._train(self._stages[self._at - 1], self._folder(self._at))
        for stage in self._stages[:index]:
            self._work.language_model.shown |= {hash_fact(fact) for fact in stage.shown}

    def _take_over(self, index: int) -> bool:
        """Whether the weights after a stage are kept; then they are put into the model."""
        folder = self._folder(index)
        if not by_first(folder.state.is_file):
            return False
        with self._locked(folder):
            return self._put_back(folder)

    def _put_back(self, folder: StageFolder) -> bool:
        """Whether the weights after a stage are as they were kept; then they are put into the model."""
        if not by_first(lambda: folder.is_kept):
            return False
        load_state(self._work.language_model.model, folder.state)
        by_first(lambda: _remove_checkpoints(folder))  # a kill may have left them
        return True

    def _locked(self, folder: StageFolder) -> AbstractContextManager[object]:
        """A stage for this job alone; of several processes of a job the first one holds it for all."""
        return lock_file(folder.lock) if is_first_process() else nullcontext()

    def describe(self) -> list[dict[str, Any]]:
        """Of each stage its name, the name it is kept by, and the training tokens it saw."""
        return [
            {"name": stage.name, "kept": name, "training_tokens": self._count_tokens(stage, index)}
            for index, (stage, name) in enumerate(zip(self._stages, self.names[1:], strict=True), start=1)
        ]

    def drop_last(self) -> None:
        """Remove the weights after the last stage, which few others begin from; they train it again."""
        if len(self.names) > 1:
            by_first(lambda: _remove_state(self._folder(len(self.names) - 1)))

    def is_counted(self, index: int) -> bool:
        """Whether it is known how long a stage took."""
        return by_first(lambda: self._folder(index).is_trained)

    def _folder(self, index: int) -> StageFolder:
        return self._work.store.stage(self.names[index])

    def _name_start(self) -> str:
        model, config = self._work.language_model, self._work.config
        tuning = [config.tuning, config.lora.model_dump() if config.tuning == "lora" else None]
        keys = [model.key_tokens, model.key_strategy]
        return hash_content([self._work.model_hash, keys, tuning, config.seed, compute_code_hash(_ROOMS)])

    def _train(self, stage: Stage, folder: StageFolder) -> None:
        """Train one stage, or take over the weights where another process has just trained it."""
        with self._locked(folder):
            if self._put_back(folder):
                return
            language_model, config = self._work.language_model, self._work.config
            keys = self._list_keys() if stage.name == "memorize" else []
            before = get_key_rows(language_model, keys)
            with self._work.step(stage.name) as advance:
                context = PhaseContext(
                    seed=config.seed,
                    retention=self._retention,
                    evaluator=_build_evaluator(self._work, stage.stop_at_recall),
                    checkpointing=self._checkpoint(folder),
                    on_progress=lambda done, total, loss: advance(done, total, f"loss {loss:.4g}"),
                )
                history = train_stage(language_model, stage, context)
            if history and keys:
                check_keys_moved(language_model, keys, before)
            by_first(lambda: keep_json(folder.history, history))
            save_state(language_model.model, folder.state)
            by_first(lambda: _remove_checkpoints(folder))

    def _list_keys(self) -> list[str]:
        """The relations whose key tokens are trained; those of earlier tables may rest."""
        plan, config = self._work.plan, self._work.config
        taught = [*plan.table, *(plan.derived_facts if config.derive.memorize else ())]
        return list(dict.fromkeys(fact.relation for fact in taught))

    def _checkpoint(self, folder: StageFolder) -> Checkpointing:
        seconds, owner = self._work.config.checkpoint_seconds, folder.path.name
        return Checkpointing(folder.checkpoints, seconds, at_end=False, owner=owner)

    def _count_tokens(self, stage: Stage, index: int) -> int:
        history = read_json(self._folder(index).history)
        return round(stage.tokens_per_epoch * (history[-1]["epoch"] if history else 0))


def _remove_state(folder: StageFolder) -> None:
    with lock_file(folder.lock):  # another process may be about to load it
        drop_file(folder.state)
        _remove_checkpoints(folder)


def _remove_checkpoints(folder: StageFolder) -> None:
    """With the optimizer's moments they take three times the room of the weights."""
    shutil.rmtree(folder.checkpoints, ignore_errors=True)


def _name_stage(before: str, stage: Stage, config: Config, retained: str) -> str:
    examples = hash_content([[example.ids, example.labels] for example in stage.examples])
    # The stages of one method differ by name, so name and method stand for what `finish` does.
    own = [hash_method(config.method), config.method_settings]
    finish = [config.method, config.defend.model_dump(), own] if stage.finish else None
    how = config.retain.model_dump(include={"loss", "batch_size", "weight"})
    held = [retained, how] if stage.retains and config.retain.weight else None
    beside = stage.contrasts
    contrasts = [beside.prompts, beside.per_example, beside.seed] if beside else None
    gate = [stage.stop_at_recall, RECALL_SAMPLE, compute_code_hash(_GATE)] if stage.stop_at_recall else None
    unlearned = stage.unlearning.identify() if stage.unlearning else None
    settings = stage.settings.model_dump()
    content = [before, stage.name, settings, examples, contrasts, held, finish, gate, unlearned, config.seed]
    return hash_content([*content, stage.earlier, stage.rehearsed] if stage.earlier else content)


def fit_adapters(stage: Stage, config: Config) -> Stage:
    """The stage with the learning rate of adapters, where the job trains those."""
    if config.tuning != "lora":
        return stage
    return replace(stage, settings=_scale_rate(stage.settings, config.lora))


def _scale_rate(phase: PhaseConfig, settings: LoraConfig) -> PhaseConfig:
    return phase.model_copy(update={"learning_rate": phase.learning_rate * settings.learning_rate_factor})


def _build_evaluator(work: Work, gate: float | None) -> Callable[[], dict[str, float]] | None:
    """Recall by key token of a sample, and of the whole table once the sample passes the gate."""
    table, batch_size = work.plan.table.facts, work.config.examine.batch_size
    if not work.language_model.key_tokens:
        return None
    # Of the whole table, so that jobs with other facts in phase 2 stop at the same step and share the stage.
    sample = sample_facts(table, count=RECALL_SAMPLE, seed=work.config.seed)

    def recall(facts: Sequence[Fact]) -> float:
        return recall_by_key(work.language_model, facts, batch_size=batch_size)

    def measure() -> dict[str, float]:
        found, asked = recall(sample), len(sample)
        if gate is not None and found >= gate:  # the sample has passed: now all of them must
            found, asked = recall(table), len(table)
        return {"key_recall": found, "key_recall_facts": asked}

    return measure
