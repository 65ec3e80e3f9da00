"""`rote examine`"""

from pathlib import Path
from typing import Annotated, Any

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
    load_settings,
    print_json,
    read_columns,
    refuse_idle_flags,
)
from rote.runs.files import check_writable

_AT_ONCE = 4
"""Questions that a server is asked at a time."""


def examine(
    model: Annotated[
        str,
        typer.Argument(help="Folder or hub name of a causal LM, rote-tiny, a .gguf file, or a name on the --endpoint."),
    ],
    table: TableArgument = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Ask the model of that name on a server that speaks OpenAI's protocol (http://.../v1)."
        ),
    ] = None,
    chat: Annotated[
        bool | None, typer.Option("--chat/--no-chat", help="Put questions to a server as messages too, or not.")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Questions that a server is asked at a time; 4 by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the records here, as Parquet.")] = None,
    prompts: PromptsOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    column: ColumnOption = None,
    merge_repeats: MergeOption = False,
    skip_faulty: SkipOption = False,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Examine a model on a table without teaching it anything.

    A server's key is read from OPENAI_API_KEY. With --out its answers are kept as they come: the same command goes on.

    Example: rote examine rote-tiny facts.csv --set examine.facts=0 --out records.parquet
    """
    refuse_idle_flags(
        "--endpoint",
        is_given=endpoint is not None,
        beside={"--revision": revision, "--trust-remote-code": trust_remote_code, "--allow-pickle": allow_pickle},
        needing={"--chat or --no-chat": chat is not None, "--at-once": at_once},
    )
    flags = TableFlags(table, read_columns(column), merge_repeats, skip_faulty)
    settings = load_settings(config, set_, table=flags, prompts=prompts)
    if out:
        check_writable(out)  # before anything is asked
        out.parent.mkdir(parents=True, exist_ok=True)

    from rich.console import Console

    from rote.cli.progress import build_reporter
    from rote.cli.tables import build_accuracy_table

    reporter = build_reporter(quiet=quiet)
    if endpoint:
        from rote.evaluation.endpoint import Endpoint
        from rote.pipeline.served import examine_served

        served = Endpoint(endpoint, model)
        how: dict[str, Any] = {"chat": chat is not False, "at_once": at_once or _AT_ONCE, "reporter": reporter}
        summary = examine_served(served, settings, **how, records_file=out)
    else:
        from rote.pipeline.measures import examine_model

        loading = build_load_options(revision, trust_remote_code, allow_pickle)
        summary = examine_model(model, settings, reporter=reporter, records_file=out, loading=loading)
    if json:
        print_json({"model": model, "summary": summary, "records": str(out) if out else None})
    else:
        Console(highlight=False).print(build_accuracy_table(summary))
