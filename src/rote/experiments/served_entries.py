"""A run that was exported as GGUF, as something to publish: what its model answers in each form it is served in."""

from pathlib import Path

from rote.experiments.entries import Entry
from rote.experiments.tables import format_cell
from rote.figures import read_figure
from rote.report.results_page import ResultTable
from rote.runs.folder import RunFolder
from rote.runs.shapes import Identity, Served, read_shaped

_NAME = "served"


def is_served(folder: Path) -> bool:
    """Whether a folder is that of a run that was exported as GGUF."""
    return RunFolder(folder).served.is_file()


def build_served_entry(folder: Path, *, code: str) -> Entry:
    """The table of the run's last `rote export gguf`. Raises `RunError` where the run is damaged."""
    run = RunFolder(folder)
    rows, identity = read_shaped(run.served, Served)["rows"], read_shaped(run.identity, Identity)
    forms = list(dict.fromkeys(row["form"] for row in rows))
    lines = [
        (asked, *(format_cell(read_figure(row)) for form in forms for row in rows if _fits(row, asked, form)))
        for asked in dict.fromkeys(row["questions"] for row in rows)
    ]
    return Entry(
        name=_NAME,
        title="Where it is served",
        description=(
            f"What a model that was taught {identity['table']['name']} answers in float32, in GGUF files that are read "
            "back, and from llama.cpp."
        ),
        command="rote export gguf RUN --out FOLDER",
        model=identity["model"]["name"],
        seeds=1,
        code=code,
        tables=[ResultTable(("", *forms), tuple(lines))],
    )


def _fits(row: dict[str, str], asked: str, form: str) -> bool:
    return (row["questions"], row["form"]) == (asked, form)
