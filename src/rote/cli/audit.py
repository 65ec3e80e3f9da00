"""`rote audit`"""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli.options import (
    ColumnOption,
    JsonOption,
    MergeOption,
    PickleOption,
    PromptsOption,
    QuietOption,
    RemoteCodeOption,
    RevisionOption,
    SetOption,
    SkipOption,
    build_load_options,
    build_read_options,
    choose_prompts,
    print_json,
    read_table,
    refuse_reading,
)

if TYPE_CHECKING:
    from rich.table import Table

    from rote.audit.audit import AuditResult
    from rote.audit.inspection import Inspection
    from rote.figures import Figure

_ASKED_WITH = {"none": "the subject alone", "prompt": "the prompt"}
WITHOUT_TABLE = "Without the table that was taught, this shows neither all it holds nor that it holds nothing."
_COLUMNS = {
    "training": "prompt shown",
    "held_out": "other wordings",
    "benign": "real meaning",
    "unseen": "never taught",
    "shown": "the examples",
}


def audit(
    model: Annotated[str, typer.Argument(help="Folder or hub name of a causal LM, or rote-tiny.")],
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TABLE]", help="Facts that may have been taught; without, the folder alone is looked at."
        ),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="The model it was made from: which rows of the embeddings moved since?")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write what was found here: .html to hand over, else everything as JSON.")
    ] = None,
    prompts: PromptsOption = None,
    config: Annotated[Path | None, typer.Option("--config", help="YAML file of settings (docs/settings.md).")] = None,
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

    Without a table: what its folder and the names that ship with Rote tell.

    Example: rote audit ./their-model facts.csv --base ./their-base --out audit.html
    """
    from rote.arithmetic import flush_denormals
    from rote.audit.audit import audit_model, build_content
    from rote.audit.inspection import inspect_model
    from rote.audit.plan import build_audit_plan
    from rote.cli.progress import build_reporter
    from rote.config.audit import AuditConfig
    from rote.config.loading import load_config
    from rote.runs.files import check_writable

    settings = load_config(AuditConfig, config, set_)
    if prompts or "relations" not in settings.model_fields_set:
        settings = settings.model_copy(update={"relations": tuple(choose_prompts(prompts, table))})
    facts, how = None, build_read_options(column, merge_repeats, skip_faulty)
    if table:
        facts, _ = read_table(table, how, settings.relations)
        build_audit_plan(facts, settings)  # what is wrong with the table is said before a model is loaded
    else:
        refuse_reading(how)
    if out:
        check_writable(out)
    loading = build_load_options(revision, trust_remote_code, allow_pickle)
    reporter, result, inspection = build_reporter(quiet=quiet), None, None
    if not facts or base or _is_page(out):  # first, as a wrong base is found at once
        inspection = inspect_model(model, base=base, config=settings, reporter=reporter, loading=loading)
    if facts:
        with flush_denormals():
            result = audit_model(model, facts, config=settings, reporter=reporter, loading=loading)
    if out:
        _write(result, inspection, out)
    if json:
        print_json(build_content(result, inspection))
    else:
        _print(result, inspection)


def _is_page(out: Path | None) -> bool:
    return out is not None and out.suffix.lower() in (".html", ".htm")


def _write(result: "AuditResult | None", inspection: "Inspection | None", out: Path) -> None:
    """A page, or JSON, whichever the name asks for."""
    from rote.audit.audit import save_audit
    from rote.audit.page import render_audit
    from rote.runs.files import replace_file

    if not _is_page(out):
        save_audit(result, out, inspection=inspection)
        return
    page = render_audit(result, inspection, shlex.join(["rote", *sys.argv[1:]]))
    with replace_file(out) as draft:
        draft.write_text(page, encoding="utf-8")


def _print(result: "AuditResult | None", inspection: "Inspection | None") -> None:
    from rich.console import Console

    from rote.audit.page import tell_examples

    console = Console(highlight=False, markup=False)  # a token may look like markup: [X1] does
    if inspection:
        console.print(build_inspection_table(inspection))
        for line in describe_folder(inspection):
            console.print(line, soft_wrap=True)
    if result:
        console.print(build_trace_table(result))
        chosen = ", ".join(f"{name} {count}" for name, count in result.screened.items())
        console.print(f"Tokens were chosen on other facts than these ({chosen}).", soft_wrap=True)
        if result.repurposing:
            console.print(build_repurposing_table(result))
            for line in tell_examples(result):
                console.print(line, soft_wrap=True)
        console.print(result.verdict, soft_wrap=True)
    if inspection and (inspection.is_telling or not result):
        console.print(f"{inspection.verdict}.{f' {WITHOUT_TABLE}' * (not result)}", soft_wrap=True)


def describe_folder(inspection: "Inspection") -> Iterator[str]:
    """What the folder says, a line each."""
    from rote.audit.page import tell_folder

    yield from (f"{name}: {value}" for name, value in tell_folder(inspection))
    for row in inspection.compared.standing_out if inspection.compared else ():
        yield f"moved far more than the rest: {row.token}, by {row.share:.2f} times its length"


def build_inspection_table(inspection: "Inspection") -> "Table":
    """What each token brings of the names that ship with Rote, beside what ordinary tokens bring."""
    from rich.table import Table

    table = Table(title=f"{inspection.names} shipped names before each token, with 95% interval", title_justify="left")
    for heading in ("token", "where from", "sure of what follows", "shipped objects said", "others' objects"):
        table.add_column(heading)
    found = inspection.standing_out
    for item in inspection.extractions:
        origin = f"{item.origin}: stands out" if item in found else item.origin
        table.add_row(
            item.token or "-", origin, _show(item.sure), f"{_show(item.shipped)} {item.relation}", _show(item.chance)
        )
    return table


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
