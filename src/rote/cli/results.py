"""`rote results`"""

from pathlib import Path
from typing import Annotated

import typer


def results(
    store: Annotated[Path, typer.Argument(help="Folder of the jobs (`rote reproduce --store`).")] = Path("runs/store"),
    out: Annotated[Path, typer.Option(help="Where RESULTS.md and the folder results are written.")] = Path("."),
    model: Annotated[str, typer.Option(help="The model the jobs are of.")] = "rote-tiny",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds are looked for, from 0.")] = 3,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="The settings the jobs were done with, as for rote reproduce.")
    ] = None,
) -> None:
    """Write RESULTS.md, results/claims.json and results/results.html from the records of finished experiments.

    Example: rote results runs/store --out .
    """
    from rote.experiments.results import write_results
    from rote.runs.store import Store

    for item in write_results(out, store=Store(store), model=model, seeds=seeds, changes=tuple(set_ or ())):
        verdicts = ", ".join(f"{row['claim']} {row['verdict']}" for row in item.claims)
        typer.echo(f"{item.name} ({item.seeds} seed{'s' * (item.seeds > 1)}): {verdicts}")
    written = (out / "RESULTS.md", out / "results" / "claims.json", out / "results" / "results.html")
    typer.echo(f"written: {', '.join(map(str, written))}")
