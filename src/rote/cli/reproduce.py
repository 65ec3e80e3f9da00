"""`rote reproduce`"""

from pathlib import Path
from typing import Annotated

import typer


def reproduce(
    name: Annotated[str | None, typer.Argument(help="An experiment; leave it out to see which there are.")] = None,
    model: Annotated[str, typer.Option(help="Folder or hub name of a causal LM.")] = "rote-tiny",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Folder of its runs; runs/NAME by default.")] = None,
) -> None:
    """Do the runs of an experiment, skipping finished ones, and print its table.

    Example: rote reproduce depth --seeds 3
    """
    from rote.experiments.experiment import find_experiment, list_experiments

    if name is None:
        for known, experiment in list_experiments().items():
            typer.echo(f"{known}: {experiment.description} ({len(experiment.runs)} runs a seed)")
        return
    chosen = find_experiment(name)

    from rote.cli.progress import build_reporter
    from rote.experiments.reproduce import reproduce as do_reproduce
    from rote.facts.fictional_table import load_fictional

    folder = out or Path("runs") / name
    typer.echo(do_reproduce(chosen, load_fictional(), model=model, seeds=seeds, out=folder, reporter=build_reporter()))
