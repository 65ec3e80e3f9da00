"""`rote run`"""

import shlex
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
    TableFlags,
    build_load_options,
    fit_to_model,
    load_settings,
    read_columns,
    say_what_was_read,
)

_NOT_LEARNED = 3
"""The exit code of a run that came to its end, but not to a model that can be used."""


def run(
    table: TableArgument = None,
    model: Annotated[
        str | None, typer.Option(help="Folder or hub name of a causal LM; rote-tiny, where no setting names another.")
    ] = None,
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it takes here, and do nothing.")
    ] = False,
    push_to_hub: Annotated[
        str | None, typer.Option(metavar="NAME", help="Upload the taught model there, privately, at the end.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="METHOD,...", help="Teach it by these methods too, at equal tokens, and compare."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of the work that runs share; by default `store` beside --out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Teach a table to a model and prove what it knows. It is examined before, between and after.

    Exit code 3 says that the run came to its end and the model does not answer what it was taught. Ctrl-C and SIGTERM
    save what is under way and say how to go on (exit codes 130 and 143); a second one leaves at once.

    Example: rote run facts.csv --model ./my-model --out runs/mine --set generalize.facts=10
    """
    settings = load_settings(
        config, set_, table=TableFlags(table, read_columns(column), merge_repeats, skip_faulty), model=model
    )

    from rote.cli.progress import build_reporter
    from rote.cli.stopping import stoppable
    from rote.cli.tables import print_comparison, print_result
    from rote.experiments.against import compare_into, plan_others
    from rote.pipeline.job import build_request
    from rote.pipeline.preview import describe_plan, rehearse
    from rote.pipeline.run import check_place, choose_place, do_run

    loading = build_load_options(revision, trust_remote_code, allow_pickle)
    request = build_request(fit_to_model(settings, loading), loading)
    say_what_was_read(request.config.table.file, request.plan.left_out, request.plan.neutral)
    named = dict.fromkeys(name.strip() for name in (against or "").split(","))
    methods = [name for name in named if name and name != request.config.method]
    plan_others(request, methods)  # what would stop them is said before the first is begun
    place = choose_place(request, out, resume=resume, store=store)
    if dry_run:
        check_place(request, place)
        typer.echo(describe_plan(request, place.out))
        typer.echo("timing a few updates and answers ...", err=True)
        typer.echo("\n".join(rehearse(request)[1].describe()))
        return
    if resume and not place.out.is_dir():
        typer.echo(f"{place.out}: begins, as there is no run to go on with", err=True)
    words = ["rote", *sys.argv[1:]]
    again = words if resume else [*words, "--resume"]
    with stoppable(build_reporter(), again) as reporter:
        result = do_run(request, place, reporter=reporter, command=shlex.join(words))
        print_result(result)
        if methods:
            print_comparison(compare_into(result, request, methods, place.store, reporter=reporter))
    if push_to_hub:
        from rote.models.publishing import push_model
        from rote.training.parallel import by_first

        assert result.folder is not None
        folder = result.folder.model if result.folder.model.is_dir() else result.folder.adapter
        typer.echo(f"hub:    {by_first(lambda: push_model(folder, push_to_hub))}")
    if (result.outcome["verdict"] or {}).get("is_failure"):
        raise typer.Exit(_NOT_LEARNED)
