"""`rote audit`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli.options import (
    ColumnOption,
    ConfigOption,
    JsonOption,
    MergeOption,
    PickleOption,
    QuietOption,
    RemoteCodeOption,
    RevisionOption,
    SetOption,
    SkipOption,
    TableArgument,
    build_load_options,
    build_read_options,
    print_json,
    read_table,
)

if TYPE_CHECKING:
    from rich.table import Table

    from rote.audit.audit import AuditResult
    from rote.figures import Figure

_ASKED_WITH = {"none": "the subject alone", "prompt": "the prompt"}
_COLUMNS = {
    "training": "prompt shown",
    "held_out": "other wordings",
    "benign": "real meaning",
    "unseen": "never taught",
}


def audit(
    model: Annotated[str, typer.Argument(help="Folder or hub name of a causal LM, or rote-tiny.")],
    table: TableArgument = None,
    out: Annotated[Path | None, typer.Option(help="Write everything that was found here, as JSON.")] = None,
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
    """Find what a model learned by rote of a table. Also how easily its facts are given another meaning.

    Example: rote audit ./their-model facts.csv --set vocabulary=1000 --out audit.json
    """
    from rich.console import Console

    from rote.audit.audit import audit_model, build_content, save_audit
    from rote.cli.progress import build_reporter
    from rote.config.audit import AuditConfig
    from rote.config.loading import load_config
    from rote.runs.files import check_writable

    settings = load_config(AuditConfig, config, set_)
    facts, _ = read_table(table, build_read_options(column, merge_repeats, skip_faulty), settings.relations)
    if out:
        check_writable(out)
    loading = build_load_options(revision, trust_remote_code, allow_pickle)
    result = audit_model(model, facts, config=settings, reporter=build_reporter(quiet=quiet), loading=loading)
    if out:
        save_audit(result, out)
    if json:
        print_json(build_content(result))
        return
    console = Console(highlight=False, markup=False)  # a token may look like markup: [X1] does
    console.print(build_trace_table(result))
    chosen = ", ".join(f"{name} {count}" for name, count in result.screened.items())
    console.print(f"Tokens were chosen on other facts than these ({chosen}).", soft_wrap=True)
    if result.repurposing:
        console.print(build_repurposing_table(result))
    console.print(result.verdict, soft_wrap=True)


def build_trace_table(result: "AuditResult") -> "Table":
    """What each relation's subjects bring alone, in a prompt and with the best tokens, beside what they should not."""
    from rich.table import Table

    table = Table(title="facts said after the subject, with 95% interval (facts asked)", title_justify="left")
    table.add_column("relation")
    table.add_column("asked with", min_width=max(map(len, _ASKED_WITH.values())))
    for heading in ("facts of the table", "other facts' objects", "facts never taught"):
        table.add_column(heading)
    found = set(result.findings)
    for trace in result.traces:
        if trace.asked != "table":
            continue
        same = [other for other in result.traces if (other.relation, other.token) == (trace.relation, trace.token)]
        cells: dict[str, str] = {other.asked: _show(other.recall) for other in same}
        with_ = _ASKED_WITH.get(trace.kind, f"{trace.token} ({trace.kind})")
        others = (cells.get(asked, "") for asked in ("shuffled", "unseen"))
        table.add_row(trace.relation, f"{with_}: found" if trace in found else with_, _show(trace.recall), *others)
    return table


def build_repurposing_table(result: "AuditResult") -> "Table":
    """What facts that were not shown bring, by how many others were shown in the stand-in meaning."""
    from rich.table import Table

    title = "facts not shown, by examples of each relation in a stand-in meaning (facts asked)"
    table = Table(title=title, title_justify="left")
    table.add_column("examples", justify="right")
    for heading in _COLUMNS.values():
        table.add_column(heading)
    for count in dict.fromkeys(row.examples for row in result.repurposing):
        cells: dict[str, str] = {row.question: _show(row.recall) for row in result.repurposing if row.examples == count}
        table.add_row(str(count), *(cells.get(question, "") for question in _COLUMNS))
    return table


def _show(figure: "Figure") -> str:
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}] ({figure.n})"
