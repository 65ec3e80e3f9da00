"""`rote report`"""

from pathlib import Path
from typing import Annotated

import typer


def report(run_dir: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")]) -> None:
    """Write the report of finished runs again, from their records.

    Example: rote report runs/mine
    """
    from rote.pipeline.report import write_report
    from rote.runs.folder import find_run_folder

    folders = [find_run_folder(path) for path in run_dir]
    for folder in folders:
        write_report(folder)
        typer.echo(folder.report)
