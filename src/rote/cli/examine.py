"""`rote examine`"""

from pathlib import Path
from typing import Annotated

import typer

from rote.cli.options import (
    ColumnOption,
    ConfigOption,
    MergeOption,
    PickleOption,
    RemoteCodeOption,
    RevisionOption,
    SetOption,
    SkipOption,
    TableArgument,
    TableFlags,
    build_load_options,
    load_settings,
    read_columns,
)


def examine(
    model: Annotated[str, typer.Argument(help="Folder or hub name of a causal LM, or rote-tiny.")],
    table: TableArgument = None,
    out: Annotated[Path | None, typer.Option(help="Write the records here, as Parquet.")] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    column: ColumnOption = None,
    merge_repeats: MergeOption = False,
    skip_faulty: SkipOption = False,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
) -> None:
    """Examine a model on a table without teaching it anything.

    Example: rote examine rote-tiny facts.csv --set examine.facts=0 --out records.parquet
    """
    from rich.console import Console

    from rote.cli.progress import build_reporter
    from rote.cli.tables import build_accuracy_table
    from rote.pipeline.measures import examine_model

    flags = TableFlags(table, read_columns(column), merge_repeats, skip_faulty)
    settings = load_settings(config, set_, table=flags)
    loading = build_load_options(revision, trust_remote_code, allow_pickle)
    summary = examine_model(model, settings, reporter=build_reporter(), records_file=out, loading=loading)
    Console(highlight=False).print(build_accuracy_table(summary))
