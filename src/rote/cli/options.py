"""Arguments and options that several commands share."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rote.config.run import RunConfig
    from rote.facts.reading import ReadOptions
    from rote.facts.table import FactTable
    from rote.models.loading import LoadOptions

TableArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[TABLE]", help="CSV, TSV, JSONL, Parquet or datasets folder of facts; the fictional table by default."
    ),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML file of settings.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated.")
]


ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="OURS=THEIRS", help="The table's name for a column; may be repeated."),
]
MergeOption = Annotated[
    bool,
    typer.Option("--merge-repeats", help="Rows with the same subject and relation make one fact, several objects."),
]
SkipOption = Annotated[bool, typer.Option("--skip-faulty", help="Leave out rows that cannot be taught or examined.")]
RevisionOption = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a model on the hub.")]
RemoteCodeOption = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run the Python code that comes with the model.")
]
PickleOption = Annotated[bool, typer.Option("--allow-pickle", help="Read pickled weights, which may run code.")]


def build_load_options(revision: str | None, trust_remote_code: bool, allow_pickle: bool) -> "LoadOptions":
    """What the flags allow."""
    from rote.models.loading import LoadOptions

    return LoadOptions(revision, trust_remote_code, allow_pickle)


def build_read_options(columns: list[str] | None, merge: bool, skip: bool) -> "ReadOptions":
    """What the flags say. Raises `ConfigError` for a `--column` that is none."""
    from rote.errors import ConfigError
    from rote.facts.reading import ReadOptions
    from rote.facts.rows import KNOWN

    mapped = {}
    for pair in columns or ():
        ours, equals, theirs = pair.partition("=")
        if not equals or ours not in KNOWN or not theirs:
            raise ConfigError(f"--column {pair}: write OURS=THEIRS, OURS one of {', '.join(KNOWN)}")
        mapped[ours] = theirs
    return ReadOptions(mapped, merge, skip)


def load_run_config(model: str, loading: "LoadOptions", path: Path | None, changes: list[str] | None) -> "RunConfig":
    """The settings of a run: those that fit the model's size, changed by a file and by `--set`."""
    from rote.config.loading import load_config
    from rote.config.run import RunConfig
    from rote.config.sizes import fit_settings
    from rote.models.loading import count_parameters

    return load_config(RunConfig, path, changes, base=fit_settings(count_parameters(model, loading)))


def read_table(
    path: Path | None, options: "ReadOptions | None" = None, packs: Iterable[str | Path] = ()
) -> "tuple[FactTable, str]":
    """The table to work on and its name; the frozen fictional one where no path is given.

    Says on stderr how many rows were left out, and which relations are asked for neutrally.
    """
    from rote.facts.fictional_table import load_fictional
    from rote.facts.reading import ReadOptions
    from rote.facts.usable import load_usable

    if path is None:
        return load_fictional(), "fictional facts"
    usable = load_usable(path, packs, options or ReadOptions())
    if usable.left_out:
        typer.echo(
            f"{path}: {usable.left_out:,} rows left out; "
            f"'rote facts validate {path}' (with the same columns) lists them",
            err=True,
        )
    for name in usable.neutral:
        typer.echo(f"{path}: the relation {name!r} has no pack and is asked for neutrally (docs/tables.md)", err=True)
    return usable.table, path.name
