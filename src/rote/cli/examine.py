"""`rote examine`"""

from pathlib import Path
from typing import Annotated

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
)


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
    chat: Annotated[bool, typer.Option(help="Put questions to a server as messages too.")] = True,
    at_once: Annotated[int, typer.Option(min=1, help="Questions that a server is asked at a time.")] = 4,
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
    flags = TableFlags(table, read_columns(column), merge_repeats, skip_faulty)
    settings = load_settings(config, set_, table=flags, prompts=prompts)

    from rich.console import Console

    from rote.cli.progress import build_reporter
    from rote.cli.tables import build_accuracy_table

    reporter = build_reporter(quiet=quiet)
    if endpoint:
        from rote.evaluation.endpoint import Endpoint
        from rote.pipeline.served import examine_served

        served = Endpoint(endpoint, model)
        summary = examine_served(served, settings, chat=chat, at_once=at_once, reporter=reporter, records_file=out)
    else:
        from rote.pipeline.measures import examine_model

        loading = build_load_options(revision, trust_remote_code, allow_pickle)
        summary = examine_model(model, settings, reporter=reporter, records_file=out, loading=loading)
    if json:
        print_json({"model": model, "summary": summary, "records": str(out) if out else None})
    else:
        Console(highlight=False).print(build_accuracy_table(summary))
