"""A run that was exported as GGUF, as something to publish: what its model answers in each form it is served in."""

from collections.abc import Sequence
from pathlib import Path

from rote.errors import RunError, shorten
from rote.experiments.tables import format_cell
from rote.figures import read_figure
from rote.report.results_page import ResultTable
from rote.results.entries import Entry
from rote.results.seeds import find_code
from rote.runs.base import find_base
from rote.runs.folder import RunFolder
from rote.runs.shapes import Identity, Served, read_shaped

_NAME = "served"


def is_served(folder: Path) -> bool:
    """Whether a folder is that of a run that was exported as GGUF."""
    return RunFolder(folder).served.is_file()


def build_served_entries(runs: Sequence[RunFolder]) -> list[Entry]:
    """An entry for each run. Raises `RunError` where one is damaged, or two would be one entry."""
    found: dict[tuple[str, ...], RunFolder] = {}
    entries = []
    for run in runs:
        entry = _build(run)
        before = found.setdefault(entry.key, run)
        if before is not run:
            raise RunError(
                f"{run.path}: is of the same untrained model and table ({shorten(entry.about)}) as {before.path}; add "
                "one of them"
            )
        entries.append(entry)
    return entries


def _build(run: RunFolder) -> Entry:
    """The table of the run's last `rote export gguf`."""
    rows, table = read_shaped(run.served, Served)["rows"], read_shaped(run.identity, Identity)["table"]["name"]
    forms = list(dict.fromkeys(row["form"] for row in rows))
    lines = [
        (asked, *(format_cell(read_figure(row)) for form in forms for row in rows if _fits(row, asked, form)))
        for asked in dict.fromkeys(row["questions"] for row in rows)
    ]
    return Entry(
        name=_NAME,
        title="Where it is served",
        description=(
            f"What a model that {_describe(run, table)} answers in float32, in GGUF files that are read back, and from "
            "llama.cpp."
        ),
        command="rote export gguf RUN --out FOLDER",
        model=find_base(run),
        seeds=1,
        code=find_code([run]),
        tables=[ResultTable(("", *forms), tuple(lines))],
        about=table,
    )


def _describe(run: RunFolder, table: str) -> str:
    return f"was made to forget ({table})" if run.forgetting.is_file() else f"was taught {table}"


def _fits(row: dict[str, str], asked: str, form: str) -> bool:
    return (row["questions"], row["form"]) == (asked, form)
