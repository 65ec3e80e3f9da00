"""`rote sweep`"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rote.experiments.sweep import PlannedTrial
    from rote.pipeline.trial_store import TrialStore


class Script(StrEnum):
    """What can be printed."""

    slurm = "slurm"


def sweep(
    file: Annotated[Path, typer.Argument(help="YAML: base (settings), grid (settings and their values), seeds.")],
    out: Annotated[Path, typer.Option(help="Folder of the trials; it may be shared with experiments.")] = Path(
        "runs/trials"
    ),
    processes: Annotated[int, typer.Option(min=1, help="How many trials are done at once on this machine.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch for each trial; they decide the last bits of a result.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Do them on the running Ray cluster there, whose nodes share --out."),
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="NAME", help="Do this trial alone.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the trials, and do nothing.")] = False,
    print_: Annotated[
        Script | None, typer.Option("--print", help="Print a script that does the trials elsewhere, and do nothing.")
    ] = None,
) -> None:
    """Do the trials of a sweep, skipping finished ones, and print a table of them.

    Example: rote sweep sweep.yaml --out runs/trials --processes 4
    """
    from rote.errors import ConfigError
    from rote.experiments.sweep import load_sweep
    from rote.pipeline.trial_store import TrialStore

    if ray and processes > 1:
        raise ConfigError("--processes and --ray exclude each other: a Ray cluster knows how many trials it can hold")
    planned = load_sweep(file)
    if only:
        planned = [trial for trial in planned if trial.name == only]
        if not planned:
            raise ConfigError(f"{file}: has no trial {only!r}; --dry-run lists them")
    if print_:
        _print_script(planned, file, out)
    elif dry_run:
        _list(planned, TrialStore(out))
    else:
        _run(planned, TrialStore(out), processes, threads, ray)


def _print_script(planned: "list[PlannedTrial]", file: Path, out: Path) -> None:
    from rote.experiments.launch import format_slurm

    names = list(dict.fromkeys(trial.name for trial in planned))
    typer.echo(format_slurm(names, file, out), nl=False)


def _list(planned: "list[PlannedTrial]", store: "TrialStore") -> None:
    for trial in planned:
        changes = " ".join(f"{key}={value}" for key, value in trial.changes.items())
        typer.echo(f"{trial.name}  {changes}  {'finished' if store.outcome(trial.name).is_file() else 'to do'}")


def _run(
    planned: "list[PlannedTrial]", store: "TrialStore", processes: int, threads: int | None, ray: str | None
) -> None:
    from rote.cli.progress import build_reporter
    from rote.errors import RunError
    from rote.experiments.sweep import format_sweep, run_sweep

    configs = [trial.config for trial in planned]
    failure = None
    try:
        run_sweep(configs, store, processes=processes, threads=threads, ray_address=ray, reporter=build_reporter())
    except RunError as error:  # those that did not fail have their figures all the same
        failure = error
    typer.echo("\n".join(format_sweep(planned, store)))
    if failure:
        raise failure
