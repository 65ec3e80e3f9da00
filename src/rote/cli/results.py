"""`rote results`"""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rote.results.entries import Entry


class Format(StrEnum):
    """What tables and figures are written as."""

    csv = "csv"
    latex = "latex"
    svg = "svg"
    pdf = "pdf"


def results(
    store: Annotated[Path, typer.Argument(help="Folder of the jobs (`rote reproduce --store`).")] = Path("runs/store"),
    out: Annotated[Path, typer.Option(help="Where RESULTS.md and the folder results are written.")] = Path("."),
    model: Annotated[str, typer.Option(help="The model the jobs are of.")] = "rote-tiny",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many seeds, from 0; if not given, all that are finished.")
    ] = None,
    add: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Results of another machine (its --out), or a run with an export, later tables or forgotten facts.",
        ),
    ] = None,
    format_: Annotated[
        list[Format] | None,
        typer.Option("--format", help="Tables (csv, latex) or figures (svg, pdf), into results too; may repeat."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="The settings the jobs were done with, as for rote reproduce."),
    ] = None,
) -> None:
    """Write RESULTS.md from finished experiments. Beside it the files of the folder results.

    What they had of other experiments is kept, marked as stale where other code measured it.

    Example: rote results runs/store --out .
    """
    from rote.results.figure_files import import_canvas
    from rote.results.publish import write_results
    from rote.runs.store import Store

    if {Format.svg, Format.pdf} & set(format_ or ()):
        import_canvas()  # what is missing is said before anything is written
    entries = write_results(
        out,
        store=Store(store),
        model=model,
        seeds=seeds,
        changes=tuple(set_ or ()),
        others=add or (),
        tell=lambda line: typer.echo(f"note: {line}", err=True),
    )
    for entry in entries:
        about = f"{entry.model}, {entry.seeds} seed{'s' * (entry.seeds > 1)}{', stale' * entry.stale}"
        verdicts = Counter(row["verdict"] for row in entry.claims)
        told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
        typer.echo(f"{entry.name} ({about}): {told or 'no claims'}")
    written = (
        out / "RESULTS.md",
        *(out / "results" / name for name in ("results.json", "claims.json", "results.html")),
    )
    typer.echo(f"written: {', '.join(map(str, written))}")
    for form in format_ or ():
        _write_files(out / "results", entries, form)


def _write_files(folder: Path, entries: "Sequence[Entry]", form: Any) -> None:
    if form.value in ("csv", "latex"):
        from rote.results.table_files import write_tables

        kind, files = "tables", write_tables(folder / "tables", entries, form.value)
    else:
        from rote.results.figure_files import write_figures

        kind, files = "figures", write_figures(folder / "figures", entries, form.value)
    typer.echo(f"{kind}: {len(files)} in {folder / kind}")
