"""`rote run`"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli.options import (
    ColumnOption,
    ConfigOption,
    JsonOption,
    MergeOption,
    PickleOption,
    PromptsOption,
    QuietOption,
    RemoteCodeOption,
    RevisionOption,
    SetOption,
    SkipOption,
    TableArgument,
    TableFlags,
    build_load_options,
    fit_to_model,
    load_settings,
    names_updates,
    print_json,
    read_columns,
    say_what_was_read,
)
from rote.cli.tracking import Tracker, load_tracker, track

if TYPE_CHECKING:
    from rote.pipeline.job import JobRequest
    from rote.pipeline.run import Result, RunPlace

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
    prompts: PromptsOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    column: ColumnOption = None,
    merge_repeats: MergeOption = False,
    skip_faulty: SkipOption = False,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, time a few updates here, and teach nothing.")
    ] = False,
    push_to_hub: Annotated[
        str | None, typer.Option(metavar="NAME", help="Upload the taught model there, privately, at the end.")
    ] = None,
    push_records_to: Annotated[
        str | None, typer.Option(metavar="NAME", help="Upload the records there as a data set, privately, at the end.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="METHOD,...", help="Teach it by these methods too, at equal tokens, and compare."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of the work that runs share; by default `store` beside --out.")
    ] = None,
    tracker: Annotated[
        Tracker | None,
        typer.Option("--track", help="Log losses and figures there too, on this machine (extra of that name)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Teach a table to a model and prove what it knows. It is examined before, between and after.

    Exit code 3 says that the run came to its end and the model does not answer what it was taught. Ctrl-C and SIGTERM
    save what is under way and say how to go on (exit codes 130 and 143); a second one leaves at once.

    Example: rote run facts.csv --model ./my-model --out runs/mine --set generalize.facts=10
    """
    updates = names_updates(config)
    settings = load_settings(
        None if updates else config,
        set_,
        table=TableFlags(table, read_columns(column), merge_repeats, skip_faulty),
        model=model,
        prompts=prompts,
    )

    from rote.arithmetic import flush_denormals
    from rote.cli.progress import build_reporter
    from rote.cli.stopping import stoppable
    from rote.cli.tables import print_comparison, print_result
    from rote.comparison.methods import compare_into, plan_others
    from rote.errors import ConfigError
    from rote.pipeline.job import build_request
    from rote.pipeline.run import choose_place, do_run

    if tracker:
        load_tracker(tracker)  # what is missing is said before anything is done
    loading = build_load_options(revision, trust_remote_code, allow_pickle)
    request = build_request(fit_to_model(settings, loading, updates=updates), loading)
    say_what_was_read(request.config.table.file, request.plan.left_out, request.plan.neutral)
    named = dict.fromkeys(name.strip() for name in (against or "").split(","))
    if request.config.method in named:
        raise ConfigError(f"--against {request.config.method}: is the method of the run itself; name others")
    methods = [name for name in named if name]
    plan_others(request, methods)  # what would stop them is said before the first is begun
    place = choose_place(request, out, resume=resume, store=store)
    if dry_run:
        _preview(request, place, json=json, quiet=quiet)
        if methods and not json:
            typer.echo(f"against: {', '.join(methods)}, at as many training tokens each: not in this time and memory")
        return
    if resume and not place.out.is_dir():
        typer.echo(f"{place.out}: begins, as there is no run to go on with", err=True)
    words = ["rote", *sys.argv[1:]]
    again = words if resume else [*words, "--resume"]
    with flush_denormals(), stoppable(build_reporter(quiet=quiet), again) as reporter:
        with track(tracker, reporter, place.out.name, request.config.model_dump(mode="json")) as (watching, end):
            result = do_run(request, place, reporter=watching, command=shlex.join(words))
            end(result)
        if not json:
            print_result(result)
        comparison = compare_into(result, request, methods, place.store, reporter=reporter) if methods else None
        if comparison and not json:
            print_comparison(comparison)
    hub = _push(result, push_to_hub, push_records_to)
    if json:
        print_json({**_describe_result(result), "comparison": comparison, "hub": hub})
    else:
        typer.echo("".join(f"hub:    {address}\n" for address in hub.values()), nl=False)
    if (result.outcome["verdict"] or {}).get("is_failure"):
        raise typer.Exit(_NOT_LEARNED)


def _preview(request: "JobRequest", place: "RunPlace", *, json: bool, quiet: bool) -> None:
    """Say what a run would do and take, and do nothing."""
    from rote.pipeline.preview import describe_plan, rehearse
    from rote.pipeline.run import check_place

    check_place(request, place)
    plan = describe_plan(request, place.out)
    if not json:
        typer.echo(plan)
    if not quiet:
        typer.echo("timing a few updates and answers ...", err=True)
    _, estimate = rehearse(request)
    if json:
        print_json({"plan": plan.splitlines(), "estimate": vars(estimate)})
    else:
        typer.echo("\n".join(estimate.describe()))


def _describe_result(result: "Result") -> dict[str, Any]:
    """What a run found and where it lies; docs/json.md says what each key holds."""
    from rote.runs.folder import read_json

    folder, outcome = result.folder, result.outcome
    assert folder is not None
    places = {"run": folder.path, "model": folder.model, "adapter": folder.adapter, "report": folder.report}
    return {
        "verdict": outcome["verdict"],
        "summary": result.summary,
        "knowledge": read_json(folder.knowledge),
        "side_effects": read_json(folder.side_effects),
        "retention": read_json(folder.retention) if folder.retention.is_file() else None,
        "durations": outcome["durations"],
        "saved": outcome["saved"],
        "folders": {name: str(path) for name, path in places.items() if path.exists()},
    }


def _push(result: "Result", model: str | None, records: str | None) -> dict[str, str]:
    """Upload what is asked for; returns the addresses."""
    from rote.models.publishing import push_model, push_records
    from rote.training.parallel import by_first

    folder, pushed = result.folder, {}
    assert folder is not None
    if model:
        weights = folder.model if folder.model.is_dir() else folder.adapter
        pushed["model"] = by_first(lambda: push_model(weights, model))
    if records:
        title = f"Records of {result.outcome['table']['name']}"
        pushed["records"] = by_first(lambda: push_records(folder.records("before").parent, records, title=title))
    return pushed
