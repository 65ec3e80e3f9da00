"""`rote compare`"""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    run: Annotated[list[Path], typer.Argument(help="Folders of finished runs, or .json or .parquet files of jobs.")],
    every: Annotated[bool, typer.Option("--all", help="Every moment, not the last alone.")] = False,
) -> None:
    """Print the figures of runs side by side. Also in what they differ, and of two the difference.

    Example: rote compare runs/full runs/lora
    """
    from rote.experiments.compare import format_comparison, format_settings, load_run, load_settings, pick_last_moment

    names = [path.stem if path.suffix in (".json", ".parquet") else path.name for path in run]
    clear = len(set(names)) == len(names)  # else whole paths tell them apart
    paths = {name if clear else str(path): path for name, path in zip(names, run, strict=True)}
    loaded = {name: load_run(path) for name, path in paths.items()}
    settings = format_settings({name: load_settings(path) for name, path in paths.items()})
    shown = loaded if every else {name: pick_last_moment(records) for name, records in loaded.items()}
    typer.echo("\n".join([*settings, *format_comparison(shown)]))
