"""`rote compare`"""

from pathlib import Path
from typing import Annotated

import typer

from rote.cli.options import JsonOption, QuietOption, print_json
from rote.errors import ConfigError

_FILES = (".json", ".parquet", ".eval")


def compare(
    run: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of finished runs, or .json or .parquet files of jobs; or two folders of samples of lm-eval; "
            "or two logs (.eval, .json) of Inspect; or files that rote audit wrote with --out X.json."
        ),
    ],
    every: Annotated[bool, typer.Option("--all", help="Every moment, not the last alone.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD,...", help="Of other tools' logs: what of a document, or the metadata, makes a cluster."
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print the figures of runs side by side. Also in what they differ, and of two the difference; or of audits.

    Of two logs of lm-evaluation-harness or Inspect, of any task, the questions are matched and the second less the
    first is told with its 95% interval.

    Example: rote compare runs/full runs/lora
    """
    from rote.comparison.audits import has_audits
    from rote.comparison.logs import has_logs

    if has_audits(run):
        if every or cluster:
            raise ConfigError("--all, --cluster: are for runs and for other tools' logs; leave them out")
        _compare_audits(_name_paths(run), json)
        return
    if has_logs(run):
        if every:
            raise ConfigError("--all: is for runs; leave it out")
        _compare_logs(_name_paths(run), cluster, json)
        return
    if cluster:
        raise ConfigError("--cluster: is for other tools' logs; leave it out")
    _compare_runs(_name_paths(run), every, json)


def _name_paths(paths: list[Path]) -> dict[str, Path]:
    """Each path by its last part, or by the whole of it where that does not tell them apart. Raises `ConfigError` for
    one that stands twice."""
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f"{path}: stands twice; name another one to compare it with")
    names = [path.stem if path.suffix in _FILES else path.name for path in paths]
    clear = len(set(names)) == len(names)
    return {name if clear else str(path): path for name, path in zip(names, paths, strict=True)}


def _compare_runs(paths: dict[str, Path], every: bool, json: bool) -> None:
    from rote.comparison.runs import (
        compare_records,
        describe_ends,
        format_comparison,
        format_settings,
        load_run,
        load_settings,
        pick_last_moments,
    )

    loaded = {name: load_run(path) for name, path in paths.items()}
    settings = {name: load_settings(path) for name, path in paths.items()}
    shown = loaded if every else dict(zip(loaded, pick_last_moments(loaded.values()), strict=True))
    notes = [*format_settings(settings), *([] if every else describe_ends(loaded))]
    if json:
        print_json({"notes": notes, "rows": compare_records(shown)})
    else:
        typer.echo("\n".join([*notes, *format_comparison(shown)]))


def _compare_logs(paths: dict[str, Path], cluster: str | None, json: bool) -> None:
    from rote.comparison.logs import compare_logs, format_logs, list_left_out, load_logs

    fields = tuple(name.strip() for name in (cluster or "").split(",") if name.strip())
    logs = load_logs(list(paths.values()), fields)
    rows = compare_logs(*logs)
    if json:
        left_out = [list(score) for score in list_left_out(logs, rows)]
        content = {"tool": logs[0].tool, "rows": [row.build_row() for row in rows], "left_out": left_out}
        print_json({"names": list(paths), **content})
    else:
        typer.echo("\n".join(format_logs(list(paths), logs, rows)))


def _compare_audits(paths: dict[str, Path], json: bool) -> None:
    from rote.comparison.audits import (
        build_audit_rows,
        compare_audits,
        format_audits,
        load_audit,
        tell_audits,
    )

    audits = {name: load_audit(path) for name, path in paths.items()}
    rows = compare_audits(list(audits.values()))
    if json:
        print_json({"notes": tell_audits(audits), "rows": build_audit_rows(list(audits), rows)})
    else:
        typer.echo("\n".join([*tell_audits(audits), *format_audits(list(audits), rows)]))
