"""A job: a table, a model and a method in; the records of every moment out. `rote run` does one and keeps its model,
`rote reproduce` and `rote sweep` do many.

What a job has to do is decided from its configuration before a model is loaded; what it has done is kept in a `Store`
by content, so a job that was stopped goes on where it stood and ends with the same result, and two jobs that begin
alike share the work.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rote.config.job import Config
from rote.encoding.example import describe_chat
from rote.errors import ConfigError
from rote.evaluation.harness import check_tasks
from rote.evaluation.questions import Question
from rote.facts.fact import Fact
from rote.methods.cost import draw_texts
from rote.methods.registry import find_method, hash_method, read_settings
from rote.methods.teaching import Teaching, fit_tokens, prepare_tuning
from rote.models.adapters import import_peft
from rote.models.chat_template import has_chat_template
from rote.models.frozen_tables import release_tables
from rote.models.key_tokens import pick_key_tokens
from rote.models.language_model import LanguageModel, describe_precision
from rote.models.loading import SAFE, LoadOptions, check_model, find_model_folder, load_model
from rote.pipeline.earlier import load_model_ledger
from rote.pipeline.measures import Measures, choose_known
from rote.pipeline.plan import Plan, build_plan, hash_plan
from rote.pipeline.stages import Stages, Work, make_once
from rote.pipeline.tables import name_table
from rote.retention.penalty import build_retention
from rote.retention.subjects import Asking, answer_about_subjects
from rote.retention.texts import build_unwanted, collect_texts, encode_texts
from rote.runs.manifest import collect_versions, compute_code_hash, compute_content_hash, compute_model_hash
from rote.runs.reporting import Reporter
from rote.runs.store import JobResult, Store, hash_content
from rote.text_files import check_text
from rote.training.losses import can_pack
from rote.training.parallel import by_first, collect_model, count_processes, load_spread

ROOMS = ("facts", "encoding", "models", "training", "retention", "methods", "evaluation", "analysis", "pipeline")
"""The code that decides what a job finds."""
_TEXT_ROOMS = ("facts", "encoding", "models", "evaluation", "retention")
_AFTERWARDS = ("keep", "checkpoint_seconds")
"""Settings that change nothing that a job measures."""
_FILES = (("retain", "file"), ("side_effects", "text"), ("side_effects", "facts"), ("side_effects", "task_folder"))
"""Settings that name a file or folder."""


@dataclass(frozen=True)
class JobRequest:
    """A job that is to be done: its plan, and how its model may be loaded."""

    plan: Plan
    loading: LoadOptions = SAFE

    @property
    def config(self) -> Config:
        """The settings of the job."""
        return self.plan.config


def build_request(config: Config, loading: LoadOptions = SAFE) -> JobRequest:
    """Decide what a job does. Raises what would stop it, as far as that shows without loading the model."""
    check_settings(config)
    check_model(config.model)
    return JobRequest(build_plan(config, ledger=load_model_ledger(config)), loading)


def check_settings(config: Config) -> None:
    """Raise `ConfigError` for settings that do not go together, or name what is not there."""
    find_method(config.method)
    read_settings(config.method, config.method_settings)
    if config.tuning != "full" and config.defend.scramble_keys:
        raise ConfigError(
            f"--set defend.scramble_keys=true: works on whole weights, not with tuning={config.tuning}; "
            "add --set tuning=full"
        )
    if config.tuning == "layers" and count_processes() > 1:
        raise ConfigError("--set tuning=layers: works in one process; add --set tuning=full or tuning=lora")
    if config.tuning == "lora":
        import_peft()
    elif config.keep != "merged":
        raise ConfigError(f"--set keep={config.keep}: there are adapters only with --set tuning=lora")
    if config.retain.subjects == 1:
        raise ConfigError("--set retain.subjects=1: only answers that come twice are held; ask in at least 2 prompts")
    check_text(config.retain.file, "retain.file")
    check_text(config.side_effects.text, "side_effects.text")
    check_tasks(config.side_effects)


def build_identity(request: JobRequest) -> dict[str, Any]:
    """Everything that decides what a job measures, but for the version of the code."""
    config, table = request.config, request.plan.table
    effects = config.side_effects
    files = (*config.relations, config.retain.file, effects.text, effects.facts, effects.task_folder)
    settings = json.loads(config.model_dump_json(exclude=set(_AFTERWARDS)))
    return {
        "config": settings,
        "table": {"name": name_table(config.table), "hash": table.content_hash},
        "model": {"name": config.model, "hash": _hash_model(request)},
        "asked": hash_plan(request.plan),
        "files": {path: compute_content_hash(Path(path)) for path in files if path and Path(path).exists()},
        "method": hash_method(config.method),
        "loading": asdict(request.loading),
    }


def name_job(request: JobRequest) -> str:
    """The name a job's result is kept by: of what its names stand for, not of where that lies."""
    identity = build_identity(request)
    settings = {key: value for key, value in identity["config"].items() if key not in ("model", "relations")}
    settings["table"] = {key: value for key, value in settings["table"].items() if key != "file"}
    content = {**identity, "config": settings, "table": identity["table"]["hash"], "model": identity["model"]["hash"]}
    hashes: dict[str, str] = content.pop("files")
    for part, key in _FILES:
        settings[part][key] = hashes.get(settings[part][key] or "")
    return hash_content({**content, "packs": [hashes[path] for path in request.config.relations]})


def _hash_model(request: JobRequest) -> str:
    model = request.config.model
    return compute_model_hash(model, find_model_folder(model), request.loading.revision)


def run_job(request: JobRequest, store: Store, *, reporter: Reporter) -> JobResult:
    """Do a job, or read it where it is finished by this version of the code."""
    name = name_job(request)
    if not by_first(lambda: store.is_finished(name, compute_code_hash(ROOMS))):
        job = open_job(request, store, reporter)
        job.prepare()
        job.finish(name)
        job.stages.drop_last()
    return store.load(name)


def open_job(request: JobRequest, store: Store, reporter: Reporter) -> "Job":
    """Load the model of a job, over all processes where there are several."""
    return Job(request, store, load_spread(lambda: _load_whole(request)), reporter)


def _load_whole(request: JobRequest) -> LanguageModel:
    """The model as it comes; on the CPU where it is to be spread."""
    return load_model(request.config.model, request.loading, device="cpu" if count_processes() > 1 else None)


class Job:
    """One job under way, with its model in memory."""

    def __init__(self, request: JobRequest, store: Store, language_model: LanguageModel, reporter: Reporter) -> None:
        """Raises `ConfigError` where the model has no room for the key tokens."""
        self._request = request
        self._store = store
        self.work = Work(request.plan, language_model, _hash_model(request), store, reporter)
        self._parameters = sum(parameter.numel() for parameter in language_model.model.parameters())
        missing = [name for name in request.plan.table.relations if name not in language_model.key_tokens]
        config = request.config
        pick_key_tokens(language_model, len(missing), pattern=config.key_token, strategy=config.key_strategy)

    def prepare(self, *, rehearsal: bool = False) -> None:
        """Ask the untrained model what is to be kept, and make it ready for training.

        For a rehearsal it is asked nothing: any texts take as long to hold, and it may know all that it is asked about.
        """
        config, language_model = self._request.config, self.work.language_model
        self._is_rehearsal = rehearsal
        if rehearsal:
            self.texts = draw_texts(len(language_model.tokenizer), config.retain)
            self._known: Sequence[Fact] = self.work.plan.list_candidates()
        else:
            self.texts = self._retain()
            self._known = choose_known(self.work, language_model.tokenizer.batch_decode(self.texts))
        self.retention = build_retention(language_model, self.texts, config.retain, seed=config.seed)
        self.work.language_model = load_spread(self._make_ready)
        self.has_adapters = config.tuning == "lora" and bool(self.teaching.stages)
        self.stages = Stages(self.work, self.teaching.stages, self.retention, hash_content(self.texts))

    def _make_ready(self) -> LanguageModel:
        """The whole model as training begins with it. One that is spread has its shape for good: it is loaded again."""
        language_model = self.work.language_model if count_processes() == 1 else _load_whole(self._request)
        self.teaching = self._plan_teaching(language_model)
        if self.teaching.stages:
            prepare_tuning(language_model, self._request.config)
        return language_model

    def collect_model(self) -> LanguageModel:
        """The model as it stands, whole, in the first process."""
        return collect_model(self.work.language_model, self._make_ready)

    def reach_end(self) -> None:
        """Bring the weights in memory to the end of the last stage, in a model that is a plain one but for adapters."""
        self.stages.reach(len(self.teaching.stages))
        if self._request.config.tuning == "layers":
            release_tables(self.work.language_model)

    def finish(self, name: str) -> JobResult:
        """Teach and examine, and keep what was found under a name; the weights end at the last stage or before."""
        measures = self._measure()
        outcome = {"name": name, **self._describe(measures)}
        by_first(lambda: self._store.keep(name, outcome, measures.records))
        return self._store.load(name)

    def build_questions(self) -> list[Question]:
        """The questions of every moment."""
        language_model = self.work.language_model
        chat = has_chat_template(language_model.source, language_model.tokenizer.chat_template)
        return self.work.plan.build_questions(self._known, language_model.key_tokens, chat=chat)

    def _measure(self) -> Measures:
        work, stages = self.work, self.stages
        questions = self.build_questions()
        measures = Measures(work, questions)
        measures.examine("before", stages.names[0], lambda: None, work.plan.sample_before(questions))
        measures.look("before", stages.names[0], lambda: None, first=True)
        if self.teaching.contextualize:
            asked = _contextualize(questions, self.teaching)
            measures.examine("in_context", stages.names[0], lambda: None, asked)
        for index, stage in enumerate(self.teaching.stages, start=1):
            reach = partial(stages.reach, index)
            if not stages.is_counted(index):
                reach()
            measures.examine(stage.name, stages.names[index], reach)
            if index == len(self.teaching.stages):
                measures.look(stage.name, stages.names[index], reach, first=False)
        return measures

    def _retain(self) -> list[list[int]]:
        """Texts that keep the model as it was, and what it answers about the subjects; written once."""
        work, settings = self.work, self._request.config.retain
        if not settings.texts and not settings.subjects:
            return []
        file = compute_content_hash(Path(settings.file)) if settings.file else None
        content = [settings.model_dump(include={"texts", "tokens", "subjects"}), file, hash_plan(work.plan)]
        tokens = work.config.knowledge.tokens if settings.subjects else None
        decides = [work.model_hash, content, work.config.seed, work.config.examine.languages, tokens]
        name = hash_content([decides, compute_code_hash(_TEXT_ROOMS)])
        texts: list[list[int]] = make_once(self._store.content("texts", name), self._write_texts)
        return texts

    def _write_texts(self) -> list[list[int]]:
        work, plan, config = self.work, self.work.plan, self._request.config
        subjects = [fact.subject for fact in plan.table]
        unwanted = build_unwanted(subjects, plan.list_asked_relations(), config.examine.languages)
        texts: list[list[int]] = []
        if config.retain.texts:
            with work.step("write retained texts") as advance:
                texts += collect_texts(
                    work.language_model,
                    config.retain,
                    unwanted,
                    seed=config.seed,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
        if config.retain.subjects:
            asking = Asking(config.retain.subjects, config.knowledge.tokens, config.examine.batch_size)
            with work.step("ask about the subjects"):
                answers = answer_about_subjects(work.language_model, plan.table, plan.relations, asking)
            held = [answer for answer in answers if not unwanted.wordings.occur_in(answer)]
            texts += encode_texts(work.language_model, held, tokens=config.retain.tokens)
        return texts

    def _plan_teaching(self, language_model: LanguageModel) -> Teaching:
        config = self._request.config
        settings = read_settings(config.method, config.method_settings)
        task = replace(self.work.plan.build_task(), settings=settings, rehearsal=self._is_rehearsal)
        teaching = find_method(config.method)(language_model, task)
        return fit_tokens(teaching, config.training_tokens) if config.training_tokens else teaching

    def _describe(self, measures: Measures) -> dict[str, Any]:
        work, stages = self.work, self.stages.describe()
        return {
            "code": compute_code_hash(ROOMS),
            **build_identity(self._request),
            "moments": list(dict.fromkeys(record.moment for record in measures.records)),
            "facts": len(work.plan.table),
            "generalize_facts": len(work.plan.generalize_facts),
            "known_facts": len(self._known),
            "retained_texts": len(self.texts),
            "parameters": self._parameters,
            "stages": stages,
            "training_tokens": sum(stage["training_tokens"] for stage in stages),
            "labels": dict(self.teaching.labels),
            **measures.taken,
            "representations": measures.representations,
            "points": measures.points,
            "table_seed": work.plan.table.seed,
            "seconds": {label: round(value, 1) for label, value in work.seconds.items()},
            "chat": describe_chat(work.language_model.tokenizer),
            "device": str(work.language_model.device),
            "precision": {"training": describe_precision(work.language_model.device), "examination": "float32"},
            "packed": can_pack(work.language_model.model),
            "threads": torch.get_num_threads(),
            "versions": collect_versions(),
        }


def _contextualize(questions: Sequence[Question], teaching: Teaching) -> list[Question]:
    change: Callable[..., Any] | None = teaching.contextualize
    assert change is not None
    return [replace(question, text=change(question.fact, question.text)) for question in questions]
