"""`rote run`"""

import sys
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
    load_run_config,
    read_table,
)


def run(
    table: TableArgument = None,
    model: Annotated[str, typer.Option(help="Folder or hub name of a causal LM.")] = "rote-tiny",
    out: Annotated[
        Path | None, typer.Option(help="Run folder; by default one under runs/ named after the run.")
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    column: ColumnOption = None,
    merge_repeats: MergeOption = False,
    skip_faulty: SkipOption = False,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    push_to_hub: Annotated[
        str | None, typer.Option(metavar="NAME", help="Upload the taught model there, privately, at the end.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Teach a table to a model and examine it before, between and after.

    Example: rote run facts.csv --model ./my-model --out runs/mine --set generalize.facts=10
    """
    from rote.cli.progress import build_reporter
    from rote.cli.tables import print_result
    from rote.pipeline.run import RunRequest, describe_plan, pick_out_folder
    from rote.pipeline.run import run as do_run

    loading = build_load_options(revision, trust_remote_code, allow_pickle)
    settings = load_run_config(model, loading, config, set_)
    facts, name = read_table(table, build_read_options(column, merge_repeats, skip_faulty), settings.relations)
    request = RunRequest(facts, name, model, settings, out or Path(), resume, loading)
    request = request if out else pick_out_folder(request)
    if dry_run:
        typer.echo(describe_plan(request))
        return
    if resume and not request.out.is_dir():
        typer.echo(f"{request.out}: no run to go on with, so it begins", err=True)
    result = do_run(request, reporter=build_reporter(), command=" ".join(["rote", *sys.argv[1:]]))
    print_result(result)
    if push_to_hub:
        from rote.models.publishing import push_model

        folder = result.folder.model if result.folder.model.is_dir() else result.folder.adapter
        typer.echo(f"hub:    {push_model(folder, push_to_hub)}")
