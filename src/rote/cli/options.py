"""Arguments and options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rote.facts.table import FactTable

TableArgument = Annotated[
    Path | None, typer.Argument(metavar="[TABLE]", help="CSV, TSV or JSONL of facts; the fictional table by default.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML file of settings.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated.")
]


def read_table(path: Path | None) -> "tuple[FactTable, str]":
    """The table to work on and its name; the frozen fictional one where no path is given."""
    from rote.facts.fictional_table import load_fictional
    from rote.facts.reading import load_table

    return (load_table(path), path.name) if path else (load_fictional(), "fictional facts")
