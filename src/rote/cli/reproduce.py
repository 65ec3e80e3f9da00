"""`rote reproduce`"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rote.cli.options import QuietOption


def reproduce(
    name: Annotated[str | None, typer.Argument(help="An experiment, by name or letter; `all` for every one.")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show the experiments (with --model: the commands, and what they take).")
    ] = False,
    model: Annotated[str, typer.Option(help="Folder or hub name of a causal LM.")] = "rote-tiny",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    store: Annotated[Path, typer.Option(help="Folder of the jobs; runs, experiments and sweeps share it.")] = Path(
        "runs/store"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the jobs, and do nothing.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting that all runs share, such as table.count=50."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Do the runs of an experiment and print its table. Finished runs are skipped; its claims come with the table.

    Ctrl-C and SIGTERM save what is under way (exit codes 130 and 143), and the same command goes on with it.

    Example: rote reproduce main --seeds 3
    """
    from rote.experiments.experiment import find_experiment, list_experiments
    from rote.models.embedded import EMBEDDED_NAME

    if name not in (None, "all"):
        name = find_experiment(name)  # a wrong name is said, whatever is asked of it
    if list_ and model != EMBEDDED_NAME:
        from rote.experiments.reproduce import describe_commands

        named = list(list_experiments()) if name is None or name == "all" else [name]
        typer.echo("\n".join(describe_commands(model, named, seeds=seeds, changes=tuple(set_ or ()))))
        return
    if name is None or list_:
        for known, experiment in list_experiments().items():
            letter = f"({experiment.letter})" if experiment.letter else "   "
            typer.echo(f"{letter} {known:16} {experiment.description}; about {experiment.minutes:g} min a seed")
        return
    experiments = list_experiments()
    chosen = list(experiments) if name == "all" else [name]

    from rote.arithmetic import flush_denormals
    from rote.cli.progress import build_reporter
    from rote.cli.stopping import stoppable
    from rote.errors import RoteError, RunError
    from rote.experiments.reproduce import describe_runs, format_experiment, run_experiment
    from rote.runs.store import Store

    failed = []
    for known in chosen:
        wanted: dict[str, Any] = {"model": model, "seeds": seeds, "store": Store(store), "changes": tuple(set_ or ())}
        try:
            if dry_run:
                typer.echo("\n".join([f"{known}:", *describe_runs(experiments[known], **wanted)]))
                continue
            again = ["rote", *sys.argv[1:]]
            with flush_denormals(), stoppable(build_reporter(quiet=quiet), again) as reporter:
                jobs = run_experiment(experiments[known], reporter=reporter, **wanted)
        except RoteError as error:  # with `all`, one that lacks something does not keep the others back
            failed.append(f"{known} ({error})")
            continue
        typer.echo("\n".join(format_experiment(known, experiments[known], jobs, model=model)))
    if failed:
        raise RunError(f"not done: {'; '.join(failed)}")
