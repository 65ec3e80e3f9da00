"""`rote sweep`"""

import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli.options import QuietOption, refuse_idle_flags

if TYPE_CHECKING:
    from rote.experiments.sweep import PlannedJob
    from rote.runs.reporting import Reporter
    from rote.runs.store import Store


class Script(StrEnum):
    """What can be printed."""

    slurm = "slurm"


def sweep(
    file: Annotated[Path, typer.Argument(help="YAML: base (settings), grid (settings and their values), seeds.")],
    store: Annotated[Path, typer.Option(help="Folder of the jobs; runs, experiments and sweeps share it.")] = Path(
        "runs/store"
    ),
    processes: Annotated[int, typer.Option(min=1, help="How many jobs are done at once on this machine.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch for each job; they decide the last bits of a result.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Do them on the running Ray cluster there, whose nodes share --store."),
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="NAME", help="Do this job alone.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the jobs, and do nothing.")] = False,
    print_: Annotated[
        Script | None, typer.Option("--print", help="Print a script that does the jobs elsewhere, and do nothing.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Do the jobs of a sweep and print their table. Finished ones are skipped.

    Ctrl-C and SIGTERM save what is under way (exit codes 130 and 143), and the same command goes on with it; jobs of
    several processes or of a cluster end at once and go on from their last checkpoint.

    Example: rote sweep sweep.yaml --store runs/store --processes 4
    """
    from rote.errors import ConfigError
    from rote.experiments.launch import format_slurm
    from rote.experiments.sweep import load_sweep
    from rote.runs.store import Store

    if ray and processes > 1:
        raise ConfigError("--processes and --ray exclude each other: a Ray cluster knows how many jobs it can hold")
    idle = {"--processes": processes > 1, "--ray": ray}
    refuse_idle_flags("--print", is_given=print_ is not None, beside=idle, needing={})
    planned = load_sweep(file)
    _say_packs(planned)
    if only:
        planned = [job for job in planned if job.name == only]
        if not planned:
            raise ConfigError(f"{file}: has no job {only!r}; --dry-run lists them")
    if print_:
        names = _list_unfinished(planned, Store(store))
        if not names:
            raise ConfigError(f"{file}: all of its jobs are finished in {store}; rote sweep prints their table")
        typer.echo(format_slurm(names, file, store, threads=threads), nl=False)
    elif dry_run:
        _list(planned, Store(store))
    else:
        from rote.cli.progress import build_reporter

        how = {"processes": processes, "threads": threads, "ray_address": ray}
        _run(planned, Store(store), reporter=build_reporter(quiet=quiet), **how)


def _say_packs(planned: "list[PlannedJob]") -> None:
    """Say on stderr which tables are asked for by the packs beside them."""
    from rote.facts.relation import find_packs

    for table in dict.fromkeys(job.request.config.table.file for job in planned):
        packs = [str(path) for path in find_packs(Path(table))] if table else []
        jobs = [job for job in planned if packs and job.request.config.table.file == table]
        if any(list(job.request.config.relations) == packs for job in jobs):
            typer.echo(f"{table}: asked for by the packs in {Path(packs[0]).parent} ({len(packs)})", err=True)


def _list_unfinished(planned: "list[PlannedJob]", store: "Store") -> list[str]:
    from rote.pipeline.job import ROOMS
    from rote.runs.manifest import compute_code_hash

    code = compute_code_hash(ROOMS)
    return [name for name in dict.fromkeys(job.name for job in planned) if not store.is_finished(name, code)]


def _list(planned: "list[PlannedJob]", store: "Store") -> None:
    from rote.experiments.sweep import format_value

    waiting = _list_unfinished(planned, store)
    for job in planned:
        changes = " ".join(f"{key}={format_value(value)}" for key, value in job.changes.items())
        typer.echo(f"{job.name}  {changes}  {'to do' if job.name in waiting else 'finished'}")
    total = len({job.name for job in planned})
    typer.echo(f"{total} job{'s' * (total > 1)}: {len(waiting)} to do")


def _run(planned: "list[PlannedJob]", store: "Store", reporter: "Reporter", **how: Any) -> None:
    """`how`: as `run_sweep` takes it."""
    from rote.cli.stopping import stoppable
    from rote.errors import RunError
    from rote.experiments.sweep import format_sweep, run_sweep

    requests = [job.request for job in planned]
    failure = None
    is_here = how["processes"] == 1 and not how["ray_address"]
    try:
        with stoppable(reporter, ["rote", *sys.argv[1:]]) if is_here else nullcontext(reporter) as told:
            run_sweep(requests, store, reporter=told, **how)
    except RunError as error:  # those that did not fail have their figures all the same
        failure = error
    typer.echo("\n".join(format_sweep(planned, store)))
    if failure:
        raise failure
