"""`rote compare`"""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    run: Annotated[list[Path], typer.Argument(help="Folders of finished runs, or .json or .parquet files of trials.")],
) -> None:
    """Print the generation accuracy of runs beside one another, and of two the difference.

    Example: rote compare runs/mine runs/other
    """
    from rote.experiments.compare import format_comparison, load_run

    names = [path.stem if path.suffix in (".json", ".parquet") else path.name for path in run]
    clear = len(set(names)) == len(names)  # else whole paths tell them apart
    loaded = {name if clear else str(path): load_run(path) for name, path in zip(names, run, strict=True)}
    typer.echo("\n".join(format_comparison(loaded)))
