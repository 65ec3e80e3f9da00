"""A trial: one method, one table, one seed; records of every moment out. The unit experiments and sweeps are made of.

A trial is named by the hash of its configuration. What it leaves behind is one Parquet file of records and one JSON
file that is written last: where that is, the trial is finished and is not done again. Trials that begin alike share
the model after a stage, and the answers it gave, through the `states` and `examined` folders beside them.

The number of threads of torch decides the order of float sums, so it decides the last bits of a probability (1e-7 in
a short trial); at the same number of threads the records are the same bits. The outcome says it as `threads`. It is no
part of the name, and a stage taken over from another trial was done with that trial's threads.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from rote.analysis.representations import measure_representations, project_representations, summarise_layers
from rote.config.run import RetainConfig
from rote.config.trial import TrialConfig
from rote.errors import ConfigError
from rote.evaluation.examine import examine, recall_by_key
from rote.evaluation.questions import Question
from rote.methods.registry import find_method
from rote.methods.teaching import PhaseContext, Stage, Teaching, train_stage
from rote.models.key_tokens import check_keys_moved, get_key_rows
from rote.models.language_model import LanguageModel
from rote.models.loading import check_model, find_model_folder, load_model
from rote.models.retained_texts import write_texts
from rote.pipeline.plan import sample_by_relation, sample_facts
from rote.pipeline.reporting import Advance, Reporter
from rote.pipeline.trial_plan import TrialPlan, build_trial_plan, build_trial_questions, hash_facts
from rote.pipeline.trial_store import TrialResult, TrialStore, load_trial
from rote.records import Record, load_records, save_records
from rote.runs.files import replace_file
from rote.runs.folder import read_json, write_json
from rote.runs.manifest import collect_versions, compute_model_hash
from rote.training.retention import Retention

_RECALL_SAMPLE = 100
_PICTURED = 12
"""Held-out facts of each relation in the picture of hidden states."""
_ONLY_IN_RUNS = ("file", "subjects", "loss", "generalize")
"""Settings of `retain` that a trial does not follow."""


def compute_trial_name(config: TrialConfig) -> str:
    """The hash that names a trial: of its configuration, the model's files and the facts and prompts it uses."""
    content = json.loads(config.model_dump_json())
    content["model"] = compute_model_hash(config.model, find_model_folder(config.model))
    content["facts"] = hash_facts(config)
    return _hash(content)


def check_trials(configs: Sequence[TrialConfig]) -> None:
    """Raise what would stop some of these trials at once: a method or a model that is not there, or a setting of
    `retain` that trials do not have."""
    usual = RetainConfig()
    for config, name in product(configs, _ONLY_IN_RUNS):
        if getattr(config.retain, name) != getattr(usual, name):
            raise ConfigError(f"retain.{name} is for 'rote run': a trial holds texts of its own, in memorize, by KL")
    for method in dict.fromkeys(config.method for config in configs):
        find_method(method)
    for model in dict.fromkeys(config.model for config in configs):
        check_model(model)


def run_trial(config: TrialConfig, store: TrialStore, *, reporter: Reporter) -> TrialResult:
    """Do a trial, or read it where it is finished."""
    name = compute_trial_name(config)
    if not store.outcome(name).is_file():
        find_method(config.method)  # a wrong name is said before anything is loaded
        outcome, records = _Trial(config, store, load_model(config.model), reporter).do()
        with replace_file(store.records(name)) as draft:
            save_records(records, draft)
        write_json(store.outcome(name), {"name": name, "config": json.loads(config.model_dump_json()), **outcome})
    return load_trial(store, name)


@dataclass
class _Trial:
    config: TrialConfig
    store: TrialStore
    language_model: LanguageModel
    reporter: Reporter
    plan: TrialPlan = field(init=False)
    seconds: dict[str, float] = field(default_factory=dict)
    representations: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)

    def do(self) -> tuple[dict[str, Any], list[Record]]:
        texts = self._write_retained_texts() if self.config.retain.texts else []
        retention = self._build_retention(texts) if texts and self.config.retain.weight else None
        self.plan = build_trial_plan(self.config, self.language_model.tokenizer.batch_decode(texts))
        teaching = find_method(self.config.method)(self.language_model, self.plan.build_task(self.config))
        questions = build_trial_questions(self.plan, self.config, self.language_model.key_tokens)
        state = _hash([self._hash_model(), self.language_model.key_tokens])
        # The rows of the key tokens are drawn by the seed, before anything is trained.
        records = self._examine("before", _hash([state, self.config.seed]), questions)
        if teaching.contextualize:
            asked = _contextualize(questions, teaching)
            records += self._examine("in_context", _hash([state, self.config.in_context.model_dump()]), asked)
        names = [state]
        for stage in teaching.stages:
            names.append(self._name_state(names[-1], stage))
        at = 0  # the stage the weights in memory have reached
        for index, stage in enumerate(teaching.stages, start=1):
            if not (self._is_counted(stage, names[index]) and self._is_examined(names[index], stage.name, questions)):
                self._advance(teaching.stages, names, at, index, retention)
                at = index
            records += self._examine(stage.name, names[index], questions)
        return self._describe(teaching, names[1:]), records

    def _describe(self, teaching: Teaching, names: Sequence[str]) -> dict[str, Any]:
        tokens = [self._count_tokens(stage, name) for stage, name in zip(teaching.stages, names, strict=True)]
        return {
            "method": self.config.method,
            "stages": [
                {"name": stage.name, "training_tokens": count}
                for stage, count in zip(teaching.stages, tokens, strict=True)
            ],
            "training_tokens": sum(tokens),
            "labels": dict(teaching.labels),
            "representations": self.representations,
            "points": self.points,
            "seconds": {label: round(value, 1) for label, value in self.seconds.items()},
            "threads": torch.get_num_threads(),
            "versions": collect_versions(),
        }

    def _name_state(self, before: str, stage: Stage) -> str:
        examples = [[list(example.ids), list(example.labels)] for example in stage.examples]
        # The stages of one method differ by name, so name and method stand for what `prepare` and `finish` do.
        hooks: list[Any] = []
        if stage.prepare or stage.finish:
            hooks = [self.config.method, self.config.lora.model_dump(), self.config.defend.model_dump()]
        held = self.config.retain if self.config.retain.weight else RetainConfig(texts=0)
        retain = held.model_dump() if stage.retains else None
        return _hash([before, stage.name, stage.settings.model_dump(), examples, retain, hooks, self.config.seed])

    def _write_retained_texts(self) -> list[list[int]]:
        settings = self.config.retain
        path = self.store.texts(_hash([self._hash_model(), settings.texts, settings.tokens, self.config.seed]))
        if not path.is_file():
            with self._step("write retained texts") as advance:
                texts = write_texts(
                    self.language_model,
                    count=settings.texts,
                    tokens=settings.tokens,
                    seed=self.config.seed,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
                write_json(path, texts)
        kept: list[list[int]] = read_json(path)
        return kept

    def _build_retention(self, texts: list[list[int]]) -> Retention:
        settings, frozen = self.config.retain, self.language_model.model
        return Retention(frozen, texts, batch_size=settings.batch_size, weight=settings.weight, seed=self.config.seed)

    def _hash_model(self) -> str:
        return compute_model_hash(self.config.model, find_model_folder(self.config.model))

    def _advance(
        self, stages: Sequence[Stage], names: Sequence[str], at: int, to: int, retention: Retention | None
    ) -> None:
        """Bring the weights from the stage they have reached to stage `to`, from the newest state that is kept."""
        kept = [
            index
            for index in range(at + 1, to + 1)
            if self.store.state(names[index]).is_file() and self._is_counted(stages[index - 1], names[index])
        ]
        if kept:
            at = kept[-1]
            _restore(self.language_model, self.store.state(names[at]))
        for index in range(at, to):
            self._train(stages[index], names[index + 1], retention)
            if index + 1 < len(stages):  # only a state that something follows can be shared
                with replace_file(self.store.state(names[index + 1])) as draft:
                    save_file(_collect(self.language_model), draft)

    def _train(self, stage: Stage, name: str, retention: Retention | None) -> None:
        with self._step(stage.name) as advance:
            context = PhaseContext(
                seed=self.config.seed,
                retention=retention,
                on_progress=lambda done, total, loss: advance(done, total, f"loss {loss:.3f}"),
                evaluator=self._measure_recall if stage.stop_at_recall else None,
            )
            keys = list(self.language_model.key_tokens) if stage.name == "memorize" else []
            before = get_key_rows(self.language_model, keys)
            history = train_stage(self.language_model, stage, context)
            if history and keys:
                check_keys_moved(self.language_model, keys, before)
            if stage.stop_at_recall:
                write_json(self.store.epochs(name), history[-1]["epoch"] if history else 0)

    def _is_counted(self, stage: Stage, name: str) -> bool:
        """Whether it is known how long a stage took; only one with a recall gate may take less than its epochs."""
        return stage.stop_at_recall is None or self.store.epochs(name).is_file()

    def _count_tokens(self, stage: Stage, name: str) -> int:
        """Training tokens the stage saw."""
        epochs = stage.settings.epochs if stage.stop_at_recall is None else read_json(self.store.epochs(name))
        return round(stage.tokens_per_epoch * epochs)

    def _measure_recall(self) -> dict[str, float]:
        model = self.language_model
        # Of the whole table, so that trials with other facts in phase 2 stop at the same step and share the state.
        facts = sample_facts(self.plan.table.facts, count=_RECALL_SAMPLE, seed=self.config.seed)
        recall = recall_by_key(
            model.model, model.tokenizer, facts, key_tokens=model.key_tokens, batch_size=self.config.examine.batch_size
        )
        return {"key_recall": recall}

    def _is_examined(self, state: str, moment: str, questions: Sequence[Question]) -> bool:
        name = self._name_examination(state, moment, questions)
        return self.store.examined(name).is_file() and (
            not self.config.representations or self.store.examined(name).with_suffix(".json").is_file()
        )

    def _name_examination(self, state: str, moment: str, questions: Sequence[Question]) -> str:
        return _hash([state, moment, [asdict(question) for question in questions]])

    def _examine(self, moment: str, state: str, questions: Sequence[Question]) -> list[Record]:
        """Ask every question, or read the answers where the same model was asked the same before."""
        path = self.store.examined(self._name_examination(state, moment, questions))
        if not path.is_file():
            with self._step(f"examine: {moment}") as advance:
                records = examine(
                    self.language_model.model,
                    self.language_model.tokenizer,
                    questions,
                    moment=moment,
                    batch_size=self.config.examine.batch_size,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
                with replace_file(path) as draft:
                    save_records(records, draft)
        if self.config.representations:
            states = self._compare_states(moment, path.with_suffix(".json"))
            self.representations += [{"moment": moment, **row} for row in states["rows"]]
            self.points += [{"moment": moment, **point} for point in states["points"]]
        return load_records(path)

    def _compare_states(self, moment: str, path: Path) -> dict[str, list[dict[str, Any]]]:
        """Similarities at every layer, and the plane of a picture at the middle one."""
        if not path.is_file():
            with self._step(f"hidden states: {moment}"):
                model, relations, seed = self.language_model, self.plan.relations, self.config.seed
                rows = measure_representations(model, self.plan.held_out_facts, relations, seed=seed)
                shown = sample_by_relation(self.plan.held_out_facts, count=_PICTURED, seed=seed)
                middle = (1 + max(row.layer for row in rows)) // 2
                points = project_representations(model, shown, relations, layer=middle, seed=seed)
                content = {
                    "rows": [asdict(row) for row in [*rows, *summarise_layers(rows)]],
                    "points": [asdict(point) for point in points],
                }
                write_json(path, content)
        states: dict[str, list[dict[str, Any]]] = read_json(path)
        return states

    @contextmanager
    def _step(self, label: str) -> Iterator[Advance]:
        begin = time.monotonic()
        with self.reporter.step(label) as advance:
            yield advance
        self.seconds[label] = self.seconds.get(label, 0.0) + time.monotonic() - begin


def _contextualize(questions: Sequence[Question], teaching: Teaching) -> list[Question]:
    change: Callable[..., Any] | None = teaching.contextualize
    assert change is not None
    return [replace(question, text=change(question.fact, question.text)) for question in questions]


def _collect(language_model: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in language_model.model.named_parameters()}


@torch.no_grad()
def _restore(language_model: LanguageModel, path: Path) -> None:
    tensors = load_file(path)
    for name, parameter in language_model.model.named_parameters():
        parameter.copy_(tensors[name])


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode("utf-8")).hexdigest()[:16]
