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
    build_load_options,
    build_read_options,
    read_table,
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
    from rote.config.job import Config
    from rote.config.loading import load_config
    from rote.pipeline.measures import examine_model

    settings = load_config(Config, config, set_)
    facts, _ = read_table(table, build_read_options(column, merge_repeats, skip_faulty), settings.relations)
    loading = build_load_options(revision, trust_remote_code, allow_pickle)
    summary = examine_model(model, facts, settings, reporter=build_reporter(), records_file=out, loading=loading)
    Console(highlight=False).print(build_accuracy_table(summary))
