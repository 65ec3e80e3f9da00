"""Sweeps: jobs over a grid of settings, one after the other, in several processes, or on a Ray cluster.

A sweep file is YAML. Every key of the grid is a setting of a job, and so is every key of the base:

    base: {table.kind: invented, table.count: 20}
    grid:
      memorize.epochs: [3, 10, 20]
      generalize.facts: [1, 5]
    seeds: 2

These are 12 jobs: every combination, each with the seeds 0 and 1. A job is named by its content, so one that is
finished is not done again, a sweep that was killed goes on when it is started again, and two sweeps share what they
have in common. Of jobs that run at once and begin alike one does the part they share, and the others wait for it.

However a job is run, its records are the same, up to the last bits of a probability where the number of torch's
threads differs (see `rote.pipeline.stages`). Give `threads` to have the same bits everywhere.
"""

import itertools
import multiprocessing
import os
import platform
import signal
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, field_validator

from rote.arithmetic import flush_denormals
from rote.config.job import Config
from rote.config.loading import load_config
from rote.config.strict import StrictConfig
from rote.errors import ConfigError, RoteError, RunError
from rote.experiments.experiment import build_experiment_config
from rote.experiments.tables import (
    SWEEP_COLUMNS,
    TOKENS,
    describe_pooling,
    format_job,
    format_rows,
    warn_of_recall,
)
from rote.facts.relation import find_packs
from rote.pipeline.job import ROOMS, JobRequest, build_request, name_job, run_job
from rote.runs.manifest import compute_code_hash
from rote.runs.reporting import Advance, Reporter, SilentReporter
from rote.runs.store import Store

Attempts = Generator[tuple[str, str | None], None, None]
"""Jobs by name as they end, each with the reason why it failed, or None."""


class Sweep(StrictConfig):
    """What a sweep file holds."""

    base: dict[str, Any] = Field(default_factory=dict)
    """Settings that all jobs share, by dotted key."""
    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """The values each setting takes; one that is in the base too takes these."""
    seeds: int = Field(default=1, ge=1)
    """How many seeds, from 0."""

    @field_validator("base", "grid")
    @classmethod
    def _check_seed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if "seed" in settings:
            raise ValueError("seed cannot be among them; say how many with seeds")
        return settings


@dataclass(frozen=True)
class PlannedJob:
    """One job of a sweep; `changes` are the settings in which the jobs differ."""

    name: str
    changes: Mapping[str, Any]
    request: JobRequest


def load_sweep(path: Path) -> list[PlannedJob]:
    """The jobs of a sweep file, the last key of the grid changing fastest.

    Raises `ConfigError` naming the file and the key at fault.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such sweep file")
    sweep = load_config(Sweep, path)
    try:
        return list(_plan(sweep))
    except ConfigError as error:  # a pair that cannot be set is said in the words of --set
        raise ConfigError(f"{path}: {str(error).removeprefix('--set ')}") from error


def run_sweep(
    requests: Sequence[JobRequest],
    store: Store,
    *,
    processes: int = 1,
    threads: int | None = None,
    ray_address: str | None = None,
    reporter: Reporter,
) -> list[str]:
    """Do the jobs that are not finished; returns the names of all, in the order of `requests`.

    With one process the jobs are done here. With more, each has `threads` threads of torch, by default an equal part
    of those that torch would use here. With `ray_address` each is a task of the Ray cluster there, with `threads` CPUs
    (by default one) and a GPU where the cluster has any; no cluster is ever started. The folder of the store, the
    working folder and the models must then be at the same place on all nodes, as on a shared file system.

    Raises `RunError` naming every job that failed, after all others are done.
    """
    jobs = {name_job(request): request for request in requests}
    store.remove_dead_drafts()
    code = compute_code_hash(ROOMS)
    waiting = {name: request for name, request in jobs.items() if not store.is_finished(name, code)}
    if not waiting:
        return list(jobs)
    if ray_address:
        attempts = _show(_attempt_on_ray(waiting, store, threads or 1, ray_address), len(waiting), reporter)
    elif processes > 1:
        each = threads or max(1, torch.get_num_threads() // processes)
        attempts = _show(_attempt_in_pool(waiting, store, each, processes), len(waiting), reporter)
    else:
        attempts = _attempt_here(waiting, store, threads, reporter)
    failed = [f"{name} ({reason})" for name, reason in attempts if reason]
    if failed:
        raise RunError(f"{len(failed)} of {len(jobs)} jobs failed: {'; '.join(failed)}")
    return list(jobs)


def format_sweep(planned: Sequence[PlannedJob], store: Store) -> Iterator[str]:
    """A table: each job's changes, its generation accuracy at the end and its training tokens, as far as it is
    finished; then a warning for each that memorized too little for the rest to say anything."""
    keys = list(planned[0].changes)
    names = {job.name: job for job in planned}
    done = {name: store.load(name) for name in names if store.is_finished(name, compute_code_hash(ROOMS))}
    rows = []
    for job in planned:
        result = done.get(job.name)
        figures = format_job(result) if result else ["not finished"] * (len(SWEEP_COLUMNS) + 1)
        rows.append((job.name, *(format_value(job.changes[key]) for key in keys), *figures))
    yield from format_rows(("job", *keys, *(column.name for column in SWEEP_COLUMNS), TOKENS), rows)
    jobs = {name: [result] for name, result in done.items()}
    yield from (*describe_pooling(jobs), *warn_of_recall(jobs))


def format_value(value: Any) -> str:
    """A setting as a table shows it; a text of marks alone, or with blanks around it, in quotes, so that it is seen."""
    is_plain = not isinstance(value, str) or (value == value.strip() and any(map(str.isalnum, value)))
    return str(value) if is_plain else repr(value)


def _plan(sweep: Sweep) -> Iterator[PlannedJob]:
    for values in itertools.product(*sweep.grid.values()):
        for seed in range(sweep.seeds):
            changes = dict(zip(sweep.grid, values, strict=True))
            request = build_request(_build_config({**sweep.base, **changes, "seed": seed}))
            yield PlannedJob(name_job(request), {**changes, "seed": seed}, request)


def _build_config(settings: Mapping[str, Any]) -> Config:
    """The configuration of a job; where it names no packs, those in a folder `prompts` beside its table are taken."""
    config = build_experiment_config(settings)
    file = config.table.file
    beside = find_packs(Path(file)) if file and "relations" not in settings else []
    if not beside:
        return config
    return build_experiment_config({**settings, "relations": [str(path) for path in beside]})


def _attempt(request: JobRequest, store: Store, threads: int | None, reporter: Reporter) -> str | None:
    """Do one job; returns why it failed, if it is the user's to mend."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with flush_denormals():  # a job may have a process of its own
            run_job(request, store, reporter=reporter)
    except RoteError as error:
        return str(error)
    except Exception as error:  # of a method of one's own, or a bug: it keeps its traceback
        error.add_note(f"in the job {name_job(request)}")
        raise
    finally:
        torch.set_num_threads(before)
    return None


def _attempt_here(waiting: Mapping[str, JobRequest], store: Store, threads: int | None, reporter: Reporter) -> Attempts:
    for number, (name, request) in enumerate(waiting.items(), start=1):
        yield name, _attempt(request, store, threads, _NumberedReporter(reporter, f"{number}/{len(waiting)}"))


def _attempt_in_pool(waiting: Mapping[str, JobRequest], store: Store, threads: int, processes: int) -> Attempts:
    # Spawned, not forked: a process forked after torch has started its threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(waiting)), mp_context=context, initializer=_begin_worker)
    try:
        names = {
            pool.submit(_attempt, request, store, threads, SilentReporter()): name for name, request in waiting.items()
        }
        for future in as_completed(names):
            yield names[future], future.result()
    except BrokenProcessPool as error:
        raise RunError(
            "a process of the sweep was killed (is there enough memory?); start it again to go on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Make a worker end with its parent: Ctrl-C ends it at once, and it does not outlive a parent that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _attempt_on_ray(waiting: Mapping[str, JobRequest], store: Store, threads: int, address: str) -> Attempts:
    ray = _import_ray()
    was_attached = ray.is_initialized()
    if not was_attached:
        _attach(ray, address)
    try:
        store.path.mkdir(parents=True, exist_ok=True)
        shared = Store(store.path.resolve())
        task = ray.remote(num_cpus=threads, num_gpus=int("GPU" in ray.cluster_resources()))(_attempt_on_node)
        names = {task.remote(request, shared, threads, Path.cwd()): name for name, request in waiting.items()}
        left = list(names)
        while left:
            (done,), left = ray.wait(left)
            yield names[done], _get_reason(ray, done)
    finally:
        if not was_attached:
            ray.shutdown()


def _attempt_on_node(request: JobRequest, store: Store, threads: int, folder: Path) -> str | None:
    for path in (folder, store.path):
        if not path.is_dir():
            return f"{path}: is not on the node {platform.node()}; all nodes must share it"
    os.chdir(folder)  # the model may be named by a relative path
    return _attempt(request, store, threads, SilentReporter())


def _get_reason(ray: Any, done: Any) -> str | None:
    try:
        reason: str | None = ray.get(done)
    except ray.exceptions.RayTaskError:  # a bug keeps its traceback
        raise
    except ray.exceptions.RayError as error:  # a node or its process is gone
        return next(iter(str(error).splitlines()), type(error).__name__)
    return reason


def _attach(ray: Any, address: str) -> None:
    try:
        if address == "local":
            raise ConnectionError("this would start one")
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f"--ray {address}: no running Ray cluster can be attached to ({reason})") from error


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError("a sweep on Ray needs ray; install it with: pip install -e '.[ray]'") from error
    return ray


def _show(attempts: Attempts, total: int, reporter: Reporter) -> Attempts:
    """Pass on the attempts, telling how many are done."""
    with reporter.step(f"{total} jobs") as advance, closing(attempts):
        for done, attempt in enumerate(attempts, start=1):
            advance(done, total, "")
            yield attempt


@dataclass(frozen=True)
class _NumberedReporter:
    """Says before each step which job it is of."""

    reporter: Reporter
    number: str

    def step(self, label: str) -> AbstractContextManager[Advance]:
        return self.reporter.step(f"{self.number} {label}")
