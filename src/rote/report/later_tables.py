"""How the tables that a model was taught one after another are kept: the rows and columns of `retention.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rote.figures import read_figure, read_number
from rote.report.display import MISSING, clean_text, format_count, format_number, format_share_figure

MEASURES = {
    "average_accuracy": ("average accuracy", "of all tables now"),
    "forgetting": ("forgetting", "how far earlier tables fell from their best; 0 is none"),
    "backward_transfer": ("backward transfer", "how earlier tables changed since they were taught; below 0 is a loss"),
}


@dataclass(frozen=True)
class TableLine:
    """One table: how it was answered after each table from its own on; empty cells come before."""

    name: str
    facts: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class RetentionTable:
    """Tables down, moments across, and the measures as name, number and meaning."""

    moments: tuple[str, ...]
    lines: tuple[TableLine, ...]
    measures: tuple[tuple[str, str, str], ...]


def build_retention(content: Mapping[str, Any], *, most: int | None = None) -> RetentionTable:
    """The table to show; of many moments the last `most`."""
    tables: Sequence[Mapping[str, Any]] = content["tables"]
    found = {(cell["table"], cell["after"]): format_share_figure(read_figure(cell)) for cell in content["cells"]}
    columns = range(len(tables))[-(most or len(tables)) :]
    names = [f"{number}. {clean_text(str(table['name']))}" for number, table in enumerate(tables, start=1)]
    return RetentionTable(
        moments=tuple(f"after {number + 1}" for number in columns),
        lines=tuple(
            TableLine(
                names[place],
                format_count(int(table["facts"])),
                tuple("" if after < place else found.get((place, after), MISSING) for after in columns),
            )
            for place, table in enumerate(tables)
        ),
        measures=tuple(
            (words, format_number(read_number(content[name])), meaning) for name, (words, meaning) in MEASURES.items()
        ),
    )
