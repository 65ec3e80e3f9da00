"""Sweeps: trials over a grid of settings, one after the other, in several processes, or on a Ray cluster.

A sweep file is YAML. Every key of the grid is a setting of a trial, and so is every key of the base:

    base: {table.kind: invented, table.count: 20}
    grid:
      memorize.epochs: [3, 10, 20]
      generalize.facts: [1, 5]
    seeds: 2

These are 12 trials: every combination, each with the seeds 0 and 1. A trial is named by its content, so one that is
finished is not done again, a sweep that was killed goes on when it is started again, and two sweeps share what they
have in common. Trials that run at once and begin alike may both do the part they share; done one after the other, the
second takes it over.

However a trial is run, its records are the same, up to the last bits of a probability where the number of torch's
threads differs (see `rote.pipeline.trial`). Give `threads` to have the same bits everywhere.
"""

import itertools
import json
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

from rote.config.loading import load_config
from rote.config.strict import StrictConfig
from rote.config.trial import TrialConfig
from rote.errors import ConfigError, RoteError, RunError
from rote.evaluation.statistics import compute_mean
from rote.experiments.experiment import Column
from rote.experiments.figures import collect_values
from rote.experiments.tables import format_cell, format_rows
from rote.pipeline.reporting import Advance, Reporter, SilentReporter
from rote.pipeline.trial import check_trials, compute_trial_name, run_trial
from rote.pipeline.trial_store import TrialStore, load_trial
from rote.runs.files import remove_dead_drafts

_COLUMNS = (
    Column(name="training prompt", fact_set=("held_out",), prompt_set=("training",)),
    Column(name="held-out prompts", fact_set=("held_out",), prompt_set=("held_out",)),
)

Attempts = Generator[tuple[str, str | None], None, None]
"""Trials by name as they end, each with the reason why it failed, or None."""


class Sweep(StrictConfig):
    """What a sweep file holds."""

    base: dict[str, Any] = Field(default_factory=dict)
    """Settings that all trials share, by dotted key."""
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
class PlannedTrial:
    """One trial of a sweep; `changes` are the settings in which the trials differ."""

    name: str
    changes: Mapping[str, Any]
    config: TrialConfig


def load_sweep(path: Path) -> list[PlannedTrial]:
    """The trials of a sweep file, the last key of the grid changing fastest.

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
    configs: Sequence[TrialConfig],
    store: TrialStore,
    *,
    processes: int = 1,
    threads: int | None = None,
    ray_address: str | None = None,
    reporter: Reporter,
) -> list[str]:
    """Do the trials that are not finished; returns the names of all, in the order of `configs`.

    With one process the trials are done here. With more, each has `threads` threads of torch, by default an equal part
    of those that torch would use here. With `ray_address` each is a task of the Ray cluster there, with `threads` CPUs
    (by default one) and a GPU where the cluster has any; no cluster is ever started. The folder of the store, the
    working folder and the models must then be at the same place on all nodes, as on a shared file system.

    Raises `RunError` naming every trial that failed, after all others are done.
    """
    jobs = {compute_trial_name(config): config for config in configs}
    for folder in ("trials", "states", "examined"):
        remove_dead_drafts(store.path / folder)
    waiting = {name: config for name, config in jobs.items() if not store.outcome(name).is_file()}
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
        raise RunError(f"{len(failed)} of {len(jobs)} trials failed: {'; '.join(failed)}")
    return list(jobs)


def format_sweep(planned: Sequence[PlannedTrial], store: TrialStore) -> Iterator[str]:
    """A table: each trial's changes and its generation accuracy on held-out facts, as far as it is finished."""
    keys = list(planned[0].changes)
    rows = (
        (trial.name, *(f"{trial.changes[key]}" for key in keys), *_format_figures(trial.name, store))
        for trial in planned
    )
    yield from format_rows(("trial", *keys, *(column.name for column in _COLUMNS)), rows)


def _format_figures(name: str, store: TrialStore) -> list[str]:
    if not store.outcome(name).is_file():
        return ["not finished"] * len(_COLUMNS)
    found = [collect_values(column, [load_trial(store, name)]) for column in _COLUMNS]
    return [format_cell(compute_mean(values) if values else None) for values in found]


def _plan(sweep: Sweep) -> Iterator[PlannedTrial]:
    for values in itertools.product(*sweep.grid.values()):
        for seed in range(sweep.seeds):
            changes = dict(zip(sweep.grid, values, strict=True))
            pairs = [f"{key}={json.dumps(value, default=str)}" for key, value in {**sweep.base, **changes}.items()]
            config = load_config(TrialConfig, None, [*pairs, f"seed={seed}"])
            check_trials([config])  # before the first is begun
            yield PlannedTrial(compute_trial_name(config), {**changes, "seed": seed}, config)


def _attempt(config: TrialConfig, store: TrialStore, threads: int | None, reporter: Reporter) -> str | None:
    """Do one trial; returns why it failed, if it is the user's to mend."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        run_trial(config, store, reporter=reporter)
    except RoteError as error:
        return str(error)
    finally:
        torch.set_num_threads(before)
    return None


def _attempt_here(
    waiting: Mapping[str, TrialConfig], store: TrialStore, threads: int | None, reporter: Reporter
) -> Attempts:
    for number, (name, config) in enumerate(waiting.items(), start=1):
        yield name, _attempt(config, store, threads, _NumberedReporter(reporter, f"{number}/{len(waiting)}"))


def _attempt_in_pool(waiting: Mapping[str, TrialConfig], store: TrialStore, threads: int, processes: int) -> Attempts:
    # Spawned, not forked: a process forked after torch has started its threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(waiting)), mp_context=context, initializer=_begin_worker)
    try:
        names = {
            pool.submit(_attempt, config, store, threads, SilentReporter()): name for name, config in waiting.items()
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


def _attempt_on_ray(waiting: Mapping[str, TrialConfig], store: TrialStore, threads: int, address: str) -> Attempts:
    ray = _import_ray()
    was_attached = ray.is_initialized()
    if not was_attached:
        _attach(ray, address)
    try:
        store.path.mkdir(parents=True, exist_ok=True)
        shared = TrialStore(store.path.resolve())
        task = ray.remote(num_cpus=threads, num_gpus=int("GPU" in ray.cluster_resources()))(_attempt_on_node)
        names = {task.remote(config, shared, threads, Path.cwd()): name for name, config in waiting.items()}
        left = list(names)
        while left:
            (done,), left = ray.wait(left)
            yield names[done], _get_reason(ray, done)
    finally:
        if not was_attached:
            ray.shutdown()


def _attempt_on_node(config: TrialConfig, store: TrialStore, threads: int, folder: Path) -> str | None:
    for path in (folder, store.path):
        if not path.is_dir():
            return f"{path}: is not on the node {platform.node()}; all nodes must share it"
    os.chdir(folder)  # the model may be named by a relative path
    return _attempt(config, store, threads, SilentReporter())


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
        raise ConfigError("a sweep on Ray needs ray; install it with: pip install 'rote[ray]'") from error
    return ray


def _show(attempts: Attempts, total: int, reporter: Reporter) -> Attempts:
    """Pass on the attempts, telling how many are done."""
    with reporter.step(f"{total} trials") as advance, closing(attempts):
        for done, attempt in enumerate(attempts, start=1):
            advance(done, total, "")
            yield attempt


@dataclass(frozen=True)
class _NumberedReporter:
    """Says before each step which trial it is of."""

    reporter: Reporter
    number: str

    def step(self, label: str) -> AbstractContextManager[Advance]:
        return self.reporter.step(f"{self.number} {label}")
