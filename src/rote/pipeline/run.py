"""`rote run`: a job whose model is kept and proved, in a folder that a person can read and hand over.

The work itself is done in a `Store` beside the folder, so another run that shares a stage with this one takes it over.
"""

import html
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from rote.config.job import Config
from rote.config.sizes import fit_config
from rote.evaluation.summary import SummaryRow, compute_summary
from rote.facts.fact import FactTable
from rote.facts.reading import load_table, save_table
from rote.models.adapters import merge_adapters
from rote.models.language_model import LanguageModel
from rote.models.loading import SAFE, LoadOptions, count_parameters
from rote.pipeline.earlier import describe_earlier, fit_to_model
from rote.pipeline.job import ROOMS, Job, JobRequest, build_identity, build_request, name_job, open_job
from rote.pipeline.plan import Plan, build_plan
from rote.pipeline.preview import describe_expected, estimate, list_warnings
from rote.pipeline.proving import save_proved
from rote.pipeline.report import (
    build_manifest,
    describe_verdict,
    write_cards,
    write_figures,
    write_ledger,
    write_records,
    write_report,
)
from rote.pipeline.retention_matrix import extend_ledger
from rote.pipeline.stages import Work
from rote.pipeline.tables import name_table
from rote.records import Record, build_frame
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder, read_json, write_json
from rote.runs.manifest import compute_code_hash
from rote.runs.moments import load_all_records
from rote.runs.opening import check_run_folder, hold, open_run_folder
from rote.runs.reporting import Reporter, SilentReporter
from rote.runs.store import JobResult, Store, hash_content
from rote.runs.sums import find_damage, forget_end, write_sums
from rote.training.parallel import by_first, is_first_process

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What a job found: one record for each question and moment, and all else (`outcome`); after `rote run` also the
    folder it is in."""

    records: Sequence[Record]
    outcome: Mapping[str, Any]
    folder: RunFolder | None = None

    @property
    def summary(self) -> list[SummaryRow]:
        """Every figure with its 95% interval, as rows."""
        return compute_summary(self.records)

    def to_pandas(self) -> Any:
        """The records as a `pandas.DataFrame`. Raises `RoteError` where pandas is not installed."""
        return build_frame(map(asdict, self.records))

    def _repr_html_(self) -> str:
        """The summary's generation accuracy as a table, for notebooks."""
        rows = [row for row in self.summary if row["measure"] == "generation_accuracy"]
        names = ("moment", "fact_set", "prompt_set", "language")
        head = "".join(f"<th>{name}</th>" for name in (*names, "accuracy", "95% interval", "questions"))
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape(row[name])}</td>" for name in names)  # type: ignore[literal-required]
            + f"<td>{row['mean']:.3f}</td><td>[{row['low']:.3f}, {row['high']:.3f}]</td><td>{row['n']}</td></tr>"
            for row in rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class RunPlace:
    """Where a run lies, and whether it may go on with what is there."""

    out: Path
    store: Store
    resume: bool = False


def teach(
    language_model: LanguageModel, table: FactTable, config: Config | None = None, *, reporter: Reporter | None = None
) -> Result:
    """Teach a table to a model in memory and examine it at every moment; the model is the taught one afterwards.

    What `config` leaves open is what fits the model's size; its `table` and `model` say nothing here. Raises
    `RoteError` for what the user can mend.
    """
    settings = fit_config(config or Config(), language_model.model.num_parameters())
    settings = settings.model_copy(update={"model": language_model.source})
    request = JobRequest(build_plan(settings, table))
    with tempfile.TemporaryDirectory() as place:
        job = Job(request, Store(Path(place)), language_model, reporter or SilentReporter())
        job.prepare()
        result = job.finish(name_job(request))
        job.reach_end()
        if job.has_adapters:
            merge_adapters(language_model)
    return Result(result.records, result.outcome)


def run(
    config: Config,
    *,
    out: Path | None = None,
    resume: bool = False,
    loading: LoadOptions = SAFE,
    reporter: Reporter | None = None,
    command: str = "",
) -> Result:
    """Do a run, or what is left of it: teach, examine, save, report. Raises `RoteError` for what the user can mend.

    What `config` leaves open is what fits the model's size, and what it was taught before.
    `out` is by default a folder under `runs/` that is named after the table, the model and all that decides the result.
    """
    parameters = count_parameters(config.model, loading)
    request = build_request(fit_to_model(config, parameters), loading)
    place = choose_place(request, out, resume=resume)
    return do_run(request, place, reporter=reporter or SilentReporter(), command=command)


def choose_place(request: JobRequest, out: Path | None, *, resume: bool = False, store: Path | None = None) -> RunPlace:
    """The folder of a run, and the store beside it."""
    if out is None:
        digest = hash_content(_identify(request))[:8]
        names = (Path(name_table(request.config.table)).stem, Path(request.config.model).name, digest)
        out = Path("runs") / "-".join(name.replace(" ", "-") for name in names)
    return RunPlace(out, Store(store or out.parent / "store"), resume)


def check_place(request: JobRequest, place: RunPlace) -> None:
    """Raise `RunError` where a run cannot lie at its place."""
    check_run_folder(place.out, _identify(request), resume=place.resume)


def do_run(request: JobRequest, place: RunPlace, *, reporter: Reporter, command: str = "") -> Result:
    """Do a run at its place."""
    by_first(lambda: check_place(request, place))
    if place.resume and by_first(lambda: is_done(RunFolder(place.out))):
        _LOG.info("%s: is finished already; what follows is what it found and took then", place.out)
        by_first(lambda: _update_sources(RunFolder(place.out), request.plan.table))
    else:
        _teach_into(request, place, reporter, command)
    folder = open_run_folder(place.out, _identify(request), resume=True)
    by_first(lambda: _report(folder))
    return Result(load_all_records(folder), read_json(folder.manifest), folder)


def _update_sources(folder: RunFolder, table: FactTable) -> None:
    """Take over where the rows of a table come from, which decides nothing that is measured."""
    if [fact.provenance for fact in load_table(folder.table)] == [fact.provenance for fact in table]:
        return
    with hold(folder):
        _write_table(folder, table)
        write_sums(folder)
    _LOG.info("%s: what the table says of its sources is now in it", folder.table)


def is_done(folder: RunFolder) -> bool:
    """Whether a run came to its end, by this version of the code, and all it left is there."""
    if not folder.is_finished or not folder.sums.is_file():
        return False
    damaged = find_damage(folder)
    if damaged:
        _LOG.warning("%s: is not as the run wrote it, and is made again", damaged)
        return False
    return bool(read_json(folder.manifest).get("code") == compute_code_hash(ROOMS))


def _teach_into(request: JobRequest, place: RunPlace, reporter: Reporter, command: str) -> None:
    job = open_job(request, place.store, reporter)  # before a folder is claimed, as it may fail
    folder = by_first(lambda: open_run_folder(place.out, _identify(request), resume=place.resume))
    with hold(folder) if is_first_process() else nullcontext():
        _teach_here(job, folder, request, command)


def _teach_here(job: Job, folder: RunFolder, request: JobRequest, command: str) -> None:
    for line in list_warnings(request.plan):  # while there is time to stop
        _LOG.warning(line)
    for line in (*describe_earlier(request.plan.earlier, request.config), *describe_expected(request)):
        _LOG.info(line)
    job.prepare()
    by_first(lambda: _write_inputs(folder, request.plan, job))
    estimated = estimate(job).without(job.work.seconds)
    for line in estimated.describe():
        _LOG.info(line)
    result = job.finish(name_job(request))
    job.reach_end()
    by_first(lambda: forget_end(folder))
    made = {"saved": save_proved(job, folder, request.loading), "command": command, "estimated": estimated.seconds}
    by_first(lambda: _write_outputs(folder, job.work, result, made))
    job.stages.drop_last()


def _write_outputs(folder: RunFolder, work: Work, result: JobResult, made: Mapping[str, Any]) -> None:
    write_records(folder, result, work.store)
    write_figures(folder, result, work.plan)
    ledger = work.plan.earlier.ledger
    if result.outcome["stages"]:  # what is asked in context alone was not taught
        ledger = extend_ledger(work.plan, result.records, work.language_model.key_tokens)
    write_ledger(folder, ledger)
    manifest = {
        **build_manifest(result, work.plan, folder),
        **made,
        "verdict": describe_verdict(folder, work.plan, made["command"]),
        "durations": {label: round(seconds, 1) for label, seconds in work.seconds.items()},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_cards(folder, manifest)
    write_json(folder.manifest, manifest)
    write_sums(folder)


def _report(folder: RunFolder) -> None:
    if not folder.report.is_file() or folder.report.stat().st_mtime < folder.manifest.stat().st_mtime:
        write_report(folder)  # it shows the manifest, so it comes last


def _identify(request: JobRequest) -> dict[str, Any]:
    """What a run folder belongs to: everything that decides the result, and what is kept of the model."""
    return {**build_identity(request), "keep": request.config.keep}


def _write_inputs(folder: RunFolder, plan: Plan, job: Job) -> None:
    with replace_file(folder.config) as draft:
        content = json.loads(plan.config.model_dump_json())
        draft.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    _write_table(folder, plan.table)
    if job.texts:
        write_json(folder.retained, job.work.language_model.tokenizer.batch_decode(job.texts))


def _write_table(folder: RunFolder, table: FactTable) -> None:
    with replace_file(folder.table) as draft:
        save_table(table, draft)
