"""`rote report`"""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run_dir: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    csv: Annotated[
        Path | None,
        typer.Option(help="Write a row per fact here too: its verdict, and what is said to every wording."),
    ] = None,
) -> None:
    """Write the report of finished runs again, from their records.

    Example: rote report runs/mine --csv facts-now.csv
    """
    from rote.errors import RunError
    from rote.pipeline.report import write_fact_rows, write_report
    from rote.runs.files import check_writable
    from rote.runs.opening import find_run_folder

    folders = [find_run_folder(path) for path in run_dir]
    if csv and len(folders) > 1:
        raise RunError("--csv takes the facts of one run; name one run folder")
    if csv:
        check_writable(csv, "--csv")
    for folder in folders:
        write_report(folder)
        typer.echo(folder.report)
    if csv:
        write_fact_rows(folders[0], csv)
        typer.echo(csv)
