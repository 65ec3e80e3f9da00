"""A whole run: a table and a model in; a taught model, records, figures and a report out.

Each step leaves a file behind; a step whose file is there is not done again, so a run that was killed goes on where it
stood and ends with the same weights. The steps themselves are in `work.py`.
"""

import hashlib
import json
import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rote.config.run import RunConfig
from rote.errors import ConfigError
from rote.evaluation.harness import check_tasks
from rote.facts.table import FactTable
from rote.models.adapters import import_peft
from rote.models.key_tokens import pick_key_tokens
from rote.models.language_model import LanguageModel
from rote.models.loading import SAFE, LoadOptions, check_model, find_model_folder, load_model
from rote.pipeline.plan import RunPlan, build_run_plan, build_run_questions
from rote.pipeline.reporting import Reporter
from rote.pipeline.retaining import list_others
from rote.pipeline.run_report import write_report
from rote.pipeline.run_work import RunWork
from rote.pipeline.work import do_run
from rote.records import MOMENTS
from rote.runs.folder import RunFolder, open_run_folder, read_json
from rote.runs.manifest import compute_content_hash, compute_model_hash

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunRequest:
    """What is asked for."""

    table: FactTable
    table_name: str
    model: str
    config: RunConfig
    out: Path
    resume: bool = False
    loading: LoadOptions = SAFE


@dataclass(frozen=True)
class RunResult:
    """What came out, read back from the run folder."""

    folder: RunFolder
    summary: list[dict[str, Any]]
    manifest: dict[str, Any]


def run(request: RunRequest, *, reporter: Reporter, command: str = "") -> RunResult:
    """Do a run, or what is left of it. Raises `RoteError` for what the user can mend."""
    plan = build_run_plan(request.table, request.config)
    check_settings(request.config)
    if not (request.resume and RunFolder(request.out).is_finished):
        language_model = load_model(request.model, request.loading)  # before a folder is claimed, as it may fail
        _check_keys(language_model, plan, request.config)
    folder = open_run_folder(request.out, build_identity(request), resume=request.resume)
    if not folder.is_finished:
        for line in list_warnings(plan, request.config):  # while there is time to stop
            _LOG.warning(line)
        work = RunWork(request.config, folder, plan, reporter, request.loading)
        do_run(work, language_model, {"table_seed": request.table.seed, "command": command})
    if not folder.report.is_file():  # it shows the manifest, so it comes last
        write_report(folder)
    return load_result(folder)


def _check_keys(language_model: LanguageModel, plan: RunPlan, config: RunConfig) -> None:
    missing = [name for name in plan.table.relations if name not in language_model.key_tokens]
    pick_key_tokens(language_model, len(missing), pattern=config.key_token, strategy=config.key_strategy)


def pick_out_folder(request: RunRequest) -> RunRequest:
    """The request with a folder under `runs/` that is named after the table, the model and all that decides."""
    digest = hashlib.sha256(json.dumps(build_identity(request), sort_keys=True).encode("utf-8")).hexdigest()
    names = (Path(request.table_name).stem, Path(request.model).name, digest[:8])
    return replace(request, out=Path("runs") / "-".join(name.replace(" ", "-") for name in names))


def describe_plan(request: RunRequest) -> str:
    """What a run would do, in a few lines. Checks the table and the configuration; loads no weights."""
    check_model(request.model)
    check_settings(request.config)
    plan, config = build_run_plan(request.table, request.config), request.config
    steps = _count_steps(plan, config)
    questions = build_run_questions(plan, config, key_tokens=dict.fromkeys(plan.table.relations, "[X]"), retained=())
    return "\n".join(
        (
            f"table:      {len(plan.table)} facts of {len(plan.table.relations)} relations ({request.table_name})",
            f"model:      {request.model}",
            f"memorize:   {config.memorize.epochs} epochs, {steps['memorize']} steps",
            f"generalize: {len(plan.generalize_facts)} facts, {config.generalize.prompts} prompt(s) each, "
            f"{config.generalize.epochs} epochs, {steps['generalize']} steps",
            f"retain:     {_describe_retained(plan, config)}",
            f"examine:    {len(questions)} questions at each of {len(MOMENTS)} moments",
            f"out:        {request.out}",
            *list_warnings(plan, config),
        )
    )


def _describe_retained(plan: RunPlan, config: RunConfig) -> str:
    settings = config.retain
    subjects = {fact.subject for fact in plan.table}
    about = f" and answers about {len(subjects)} subjects" if settings.subjects else ""
    phases = "memorize and generalize" if settings.generalize else "memorize"
    return f"{settings.texts} texts{about}, {settings.batch_size} beside each step of {phases}"


def list_warnings(plan: RunPlan, config: RunConfig) -> list[str]:
    """What a person should know before a run that will show less than is hoped for."""
    return [*_warn_of_short_phases(plan, config), *_warn_of_bare_relations(plan), *_warn_of_unasked(plan, config)]


def _count_steps(plan: RunPlan, config: RunConfig) -> dict[str, int]:
    """The updates of each phase."""
    shown = len(plan.generalize_facts) * config.generalize.prompts
    return {
        "memorize": math.ceil(len(plan.table) / config.memorize.batch_size) * config.memorize.epochs,
        "generalize": math.ceil(shown / config.generalize.batch_size) * config.generalize.epochs,
    }


def _warn_of_short_phases(plan: RunPlan, config: RunConfig) -> Iterator[str]:
    warmup = {"memorize": config.memorize.warmup_steps, "generalize": config.generalize.warmup_steps}
    for name, steps in _count_steps(plan, config).items():
        if 0 < steps <= warmup[name]:
            yield (
                f"warning: {name} has {steps} steps, all of them in its warm-up of {warmup[name]}, so its learning "
                f"rate stays low; raise --set {name}.epochs, or lower --set {name}.batch_size or {name}.warmup_steps"
            )


def _warn_of_bare_relations(plan: RunPlan) -> list[str]:
    held_out = {fact.relation for fact in plan.held_out_facts}
    bare = [name for name in plan.table.relations if name not in held_out]
    if not bare:
        return []
    several = [count for count in (len(plan.table.select(name)) for name in bare) if count > 1]
    remedy = f"lower --set generalize.facts={min(several) // 2}" if several else "add facts"
    remedy += ", unless the table is of updates"
    return [
        f"warning: generalize shows all facts of {', '.join(bare)}, so none is left to prove that others are answered; "
        + remedy
    ]


def _warn_of_unasked(plan: RunPlan, config: RunConfig) -> Iterator[str]:
    alone = [name for name in plan.table.relations if not list_others(plan.relations, [name])]
    if config.retain.subjects and alone:
        yield (
            f"warning: no pack asks anything else about the subjects of {', '.join(alone)}, so retain.subjects holds "
            "nothing there; write one, and name it in --set relations=[PACK]"
        )


def check_settings(config: RunConfig) -> None:
    """Raise `ConfigError` for settings that do not go together, or name a file that is not there."""
    if config.tuning == "lora":
        import_peft()
    elif config.save != "merged":
        raise ConfigError(f"--set save={config.save}: there are adapters only with --set tuning=lora")
    if config.retain.subjects == 1:
        raise ConfigError("--set retain.subjects=1: only answers that come twice are held; ask in at least 2 prompts")
    for key, file in {"retain.file": config.retain.file, "side_effects.text": config.side_effects.text}.items():
        if file is not None:
            _check_text(Path(file), key)
    check_tasks(config.side_effects)


def _check_text(path: Path, key: str) -> None:
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such text file (--set {key})")
    try:
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error}); save it as UTF-8 (--set {key})") from error


def build_identity(request: RunRequest) -> dict[str, Any]:
    """What a run folder belongs to: everything that decides the result."""
    packs = _hash_files(request.config.relations)
    changes = request.config.side_effects
    paths = (request.config.retain.file, changes.text, changes.facts, changes.task_folder)
    hashes = _hash_files(path for path in paths if path and Path(path).exists())
    return {
        **({"relations": packs} if packs else {}),
        **({"files": hashes} if hashes else {}),
        **({"loading": asdict(request.loading)} if request.loading != SAFE else {}),
        "config": json.loads(request.config.model_dump_json()),
        "table": {"name": request.table_name, "hash": request.table.content_hash},
        "model": {"name": request.model, "hash": compute_model_hash(request.model, find_model_folder(request.model))},
    }


def _hash_files(paths: Iterable[str]) -> dict[str, str]:
    """Of each file, and of each folder's files in order."""
    return {path: compute_content_hash(Path(path)) for path in paths}


def load_result(folder: RunFolder) -> RunResult:
    """The result of a finished run."""
    return RunResult(folder, read_json(folder.summary), read_json(folder.manifest))
