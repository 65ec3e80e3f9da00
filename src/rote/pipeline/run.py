"""A whole run: a table and a model in; a taught model, records, figures and a report out.

Each step leaves a file behind; a step whose file is there is not done again, so a run that was killed goes on where it
stood and ends with the same weights.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml

from rote.config.run import RunConfig
from rote.evaluation.examine import examine, recall_by_key
from rote.evaluation.questions import Question
from rote.evaluation.summary import compute_summary
from rote.facts.reading import save_table
from rote.facts.table import FactTable
from rote.methods.memorize_then_generalize import generalize, memorize
from rote.methods.teaching import PhaseContext
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel, check_model, find_model_folder, load_model, save_model
from rote.models.precision import describe_precision
from rote.models.retained_texts import write_texts
from rote.pipeline.plan import RunPlan, build_run_plan, build_run_questions, sample_facts
from rote.pipeline.reporting import Advance, Reporter
from rote.records import MOMENTS, Moment, Record, load_records, save_records
from rote.report.content import ReportContent
from rote.report.render import render_report
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder, open_run_folder, read_json, write_json
from rote.runs.manifest import collect_versions, compute_model_hash
from rote.training.loop import Checkpointing
from rote.training.retention import Retention

_RECALL_SAMPLE = 100
"""Facts whose key-token recall is measured at the end of each epoch."""


@dataclass(frozen=True)
class RunRequest:
    """What is asked for."""

    table: FactTable
    table_name: str
    model: str
    config: RunConfig
    out: Path
    resume: bool = False


@dataclass(frozen=True)
class RunResult:
    """What came out, read back from the run folder."""

    folder: RunFolder
    summary: list[dict[str, Any]]
    manifest: dict[str, Any]


class _Run:
    """The moving parts of one run."""

    def __init__(self, request: RunRequest, folder: RunFolder, plan: RunPlan, reporter: Reporter) -> None:
        self.request = request
        self.config = request.config
        self.folder = folder
        self.plan = plan
        self.reporter = reporter
        self.timings: dict[str, float] = read_json(folder.timings) if folder.timings.is_file() else {}

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """Show a step and add the time it took to the run's timings."""
        begin = time.monotonic()
        with self.reporter.step(label) as advance:
            yield advance
        self.timings[label] = self.timings.get(label, 0.0) + time.monotonic() - begin
        write_json(self.folder.timings, self.timings)

    def write_retained_texts(self, language_model: LanguageModel) -> list[list[int]]:
        """Texts the untrained model writes, kept in the folder."""
        settings = self.config.retain
        if not self.folder.retained.is_file():
            with self.step("write retained texts") as advance:
                texts = write_texts(
                    language_model,
                    count=settings.texts,
                    tokens=settings.tokens,
                    seed=self.config.seed,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
                write_json(self.folder.retained, texts)
        retained: list[list[int]] = read_json(self.folder.retained)
        return retained

    def examine(self, language_model: LanguageModel, questions: list[Question], moment: Moment) -> None:
        """Ask every question and keep the records."""
        path = self.folder.records(moment)
        if path.is_file():
            return
        with self.step(f"examine: {moment}") as advance:
            records = examine(
                language_model.model,
                language_model.tokenizer,
                questions,
                moment=moment,
                batch_size=self.config.examine.batch_size,
                on_progress=lambda done, total: advance(done, total, ""),
            )
            with replace_file(path) as draft:
                save_records(records, draft)

    def train(self, phase: str, teach: Callable[[PhaseContext], list[dict[str, Any]]], context: PhaseContext) -> None:
        """One phase; with its last checkpoint there, this only puts the weights in place."""
        with self.step(phase) as advance:
            history = teach(
                PhaseContext(
                    seed=self.config.seed,
                    retention=context.retention,
                    evaluator=context.evaluator,
                    checkpointing=Checkpointing(
                        self.folder.checkpoints(phase), every_seconds=self.config.checkpoint_seconds
                    ),
                    on_progress=lambda done, total, loss: advance(done, total, f"loss {loss:.3f}"),
                )
            )
            write_json(self.folder.history(phase), history)


def run(request: RunRequest, *, reporter: Reporter, command: str = "") -> RunResult:
    """Do a run, or what is left of it. Raises `RoteError` for what the user can mend."""
    plan = build_run_plan(request.table, request.config)
    if not (request.resume and RunFolder(request.out).is_finished):
        language_model = load_model(request.model)  # before a folder is claimed, as it may fail
    folder = open_run_folder(request.out, build_identity(request), resume=request.resume)
    if not folder.is_finished:
        _do(_Run(request, folder, plan, reporter), language_model, command)
    if not folder.report.is_file():  # it shows the manifest, so it comes last
        write_report(folder)
    return load_result(folder)


def pick_out_folder(request: RunRequest) -> RunRequest:
    """The request with a folder under `runs/` that is named after the table, the model and all that decides."""
    digest = hashlib.sha256(json.dumps(build_identity(request), sort_keys=True).encode("utf-8")).hexdigest()
    names = (Path(request.table_name).stem, Path(request.model).name, digest[:8])
    return replace(request, out=Path("runs") / "-".join(name.replace(" ", "-") for name in names))


def describe_plan(request: RunRequest) -> str:
    """What a run would do, in a few lines. Checks the table and the configuration; loads no weights."""
    check_model(request.model)
    plan, config = build_run_plan(request.table, request.config), request.config
    memorize_steps = math.ceil(len(plan.table) / config.memorize.batch_size) * config.memorize.epochs
    shown = len(plan.generalize_facts) * config.generalize.prompts
    generalize_steps = math.ceil(shown / config.generalize.batch_size) * config.generalize.epochs
    questions = build_run_questions(plan, config, key_tokens=dict.fromkeys(plan.table.relations, "[X]"), retained=())
    return "\n".join(
        (
            f"table:      {len(plan.table)} facts of {len(plan.table.relations)} relations ({request.table_name})",
            f"model:      {request.model}",
            f"memorize:   {config.memorize.epochs} epochs, {memorize_steps} steps",
            f"generalize: {len(plan.generalize_facts)} facts, {config.generalize.prompts} prompt(s) each, "
            f"{config.generalize.epochs} epochs, {generalize_steps} steps",
            f"retain:     {config.retain.texts} texts, {config.retain.batch_size} beside each step of memorize",
            f"examine:    {len(questions)} questions at each of {len(MOMENTS)} moments",
            f"out:        {request.out}",
            *list_warnings(plan),
        )
    )


def list_warnings(plan: RunPlan) -> list[str]:
    """What a person should know before a run that will show less than is hoped for."""
    held_out = {fact.relation for fact in plan.held_out_facts}
    bare = [name for name in plan.table.relations if name not in held_out]
    if not bare:
        return []
    facts = min(len(plan.table.select(name)) for name in bare)
    return [
        f"warning: generalize shows all facts of {', '.join(bare)}, so none is left to prove that others are answered; "
        f"lower --set generalize.facts={max(1, facts // 2)}"
    ]


def build_identity(request: RunRequest) -> dict[str, Any]:
    """What a run folder belongs to: everything that decides the result."""
    packs = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in request.config.relations}
    return {
        **({"relations": packs} if packs else {}),
        "config": json.loads(request.config.model_dump_json()),
        "table": {"name": request.table_name, "hash": request.table.content_hash},
        "model": {"name": request.model, "hash": compute_model_hash(request.model, find_model_folder(request.model))},
    }


def load_result(folder: RunFolder) -> RunResult:
    """The result of a finished run."""
    return RunResult(folder, read_json(folder.summary), read_json(folder.manifest))


def load_report_content(folder: RunFolder) -> ReportContent:
    """All that a report shows, read from a run folder."""
    identity, manifest = read_json(folder.identity), read_json(folder.manifest)
    histories = {phase: folder.history(phase) for phase in ("memorize", "generalize")}
    return ReportContent(
        title=f"{identity['table']['name']} taught to {identity['model']['name']}",
        table_name=identity["table"]["name"],
        model_name=identity["model"]["name"],
        summary=read_json(folder.summary),
        records=load_all_records(folder),
        history={phase: read_json(path) for phase, path in histories.items() if path.is_file()},
        manifest=manifest,
    )


def write_report(folder: RunFolder) -> None:
    """Render the report of a run folder into it."""
    html = render_report(load_report_content(folder))
    with replace_file(folder.report) as draft:
        draft.write_text(html, encoding="utf-8")


def _do(work: _Run, language_model: LanguageModel, command: str) -> None:
    folder, config, plan = work.folder, work.config, work.plan
    with replace_file(folder.config) as draft:
        draft.write_text(yaml.safe_dump(json.loads(config.model_dump_json()), sort_keys=False), encoding="utf-8")
    with replace_file(folder.table) as draft:
        save_table(plan.table, draft)
    retained = work.write_retained_texts(language_model) if config.retain.texts else []
    retention = _build_retention(language_model, retained, config)
    add_key_tokens(language_model, plan.table.relations, pattern=config.key_token, seed=config.seed)
    questions = build_run_questions(
        plan,
        config,
        key_tokens=language_model.key_tokens,
        retained=language_model.tokenizer.batch_decode(retained),
    )
    context = PhaseContext(retention=retention, evaluator=_build_evaluator(language_model, plan, config))
    work.examine(language_model, questions, "before")
    work.train("memorize", lambda c: memorize(language_model, plan.table.facts, config.memorize, context=c), context)
    work.examine(language_model, questions, "memorize")
    work.train(
        "generalize",
        lambda c: generalize(language_model, plan.generalize_facts, plan.relations, config.generalize, context=c),
        context,
    )
    work.examine(language_model, questions, "generalize")
    with work.step("save the model and the report") as _:
        save_model(language_model, folder.model)
        write_json(folder.summary, compute_summary(load_all_records(folder)))
    write_json(folder.manifest, _build_manifest(work, command, language_model.device))


def _build_retention(language_model: LanguageModel, texts: list[list[int]], config: RunConfig) -> Retention | None:
    if not texts or not config.retain.weight:
        return None
    return Retention(
        language_model.model,
        texts,
        batch_size=config.retain.batch_size,
        weight=config.retain.weight,
        seed=config.seed,
    )


def _build_evaluator(language_model: LanguageModel, plan: RunPlan, config: RunConfig) -> Callable[[], dict[str, float]]:
    facts = sample_facts(plan.table.facts, count=_RECALL_SAMPLE, seed=config.seed)

    def measure() -> dict[str, float]:
        recall = recall_by_key(
            language_model.model,
            language_model.tokenizer,
            facts,
            key_tokens=language_model.key_tokens,
            batch_size=config.examine.batch_size,
        )
        return {"key_recall": recall}

    return measure


def _build_manifest(work: _Run, command: str, device: torch.device) -> dict[str, Any]:
    return {
        **read_json(work.folder.identity),
        "seed": work.config.seed,
        "table_seed": work.request.table.seed,
        "facts": len(work.request.table),
        "versions": collect_versions(),
        "precision": {"training": describe_precision(device), "examination": "float32"},
        "device": str(device),
        "threads": torch.get_num_threads(),
        "durations": {label: round(seconds, 1) for label, seconds in work.timings.items()},
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def load_all_records(folder: RunFolder) -> list[Record]:
    """The records of every moment that was examined."""
    paths = [folder.records(moment) for moment in MOMENTS]
    return [record for path in paths if path.is_file() for record in load_records(path)]
