"""`rote facts from|invent|swap|validate|show`; `convert` has a file of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli.options import (
    ColumnOption,
    ConfigOption,
    MergeOption,
    PickleOption,
    PromptsOption,
    RemoteCodeOption,
    RevisionOption,
    SetOption,
    SkipOption,
    TableArgument,
    TableFlags,
    build_load_options,
    build_read_options,
    choose_prompts,
    fit_to_model,
    load_settings,
    names_updates,
    read_columns,
    read_table,
)

if TYPE_CHECKING:
    from rote.config.job import Config
    from rote.facts.fact import FactTable
    from rote.facts.linting import TableLint
    from rote.pipeline.job import JobRequest

facts = typer.Typer(name="facts", help="Invent, check and show tables of facts.", no_args_is_help=True)

_NAMED = 3
"""Subjects that are named in a line."""
_EXAMPLES = 5
"""Sentences that show how a sheet was understood."""


@facts.command()
def invent(
    relation: Annotated[list[str] | None, typer.Option(help="A shipped relation; all five by default.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Facts per relation.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same facts.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A CSV file; the terminal by default.")] = None,
) -> None:
    """Invent facts that no pretrained model can know.

    Example: rote facts invent --relation mother --count 1000 --seed 7 --out mothers.csv
    """
    from rote.facts.invent import invent_table
    from rote.facts.reading import format_table
    from rote.facts.relation import INJECTED_RELATIONS, pick_relations

    table = invent_table(pick_relations(relation or INJECTED_RELATIONS), count=count, seed=seed)
    if out is None:
        typer.echo(format_table(table), nl=False)
    else:
        write_table(table, out)


@facts.command()
def swap(
    count: Annotated[int, typer.Option(min=1, help="Facts in all.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same facts.")] = 0,
    out: Annotated[Path, typer.Option(help="A .csv or .jsonl file.")] = Path("updates.csv"),
) -> None:
    """Make a table of updates to try teaching on. Real facts, which rote-tiny knows, get the objects of others.

    Example: rote facts swap --count 100 --out updates.csv
    """
    from rote.facts.counterfactual import swap_world

    write_table(swap_world(count=count, seed=seed), out)


@facts.command("from")
def build_from_sheet(
    sheet: Annotated[Path, typer.Argument(help="A sheet: .csv, .tsv, .xlsx, .xls, .ods.")],
    subject: Annotated[str, typer.Option(metavar="COLUMN", help="The column that says what each line is about.")],
    out: Annotated[Path, typer.Option(help="The table of facts, .csv or .jsonl.")],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN[=RELATION]",
            help="A column that is a relation, and its name; may be repeated. Every other column by default.",
        ),
    ] = None,
    page: Annotated[str | None, typer.Option("--sheet", help="The sheet of that name, of several.")] = None,
) -> None:
    """Make a table of facts from a sheet with one line for each thing and one column for each property.

    Example: rote facts from staff.xlsx --subject Employee --columns Manager=manager --columns Office --out facts.csv
    """
    from rote.facts.sheets import build_facts, name_relation, read_sheet

    check_table_file(out)
    named = [word.partition("=") for word in columns or ()]
    relations = {column: relation or name_relation(column) for column, _, relation in named}
    table = build_facts(sheet, read_sheet(sheet, page), subject, relations)
    show_understood(table)
    subjects = dict.fromkeys(fact.subject for fact in table)
    for name in table.relations:
        members = table.select(name)
        several = [fact.subject for fact in members if len(fact.objects) > 1]
        more = f", {len(several)} of them with several answers ({_name_some(several)})" if several else ""
        lacking = [subject for subject in subjects if subject not in {fact.subject for fact in members}]
        without = f"; none of {_name_some(lacking)}" if lacking else ""
        objects = len({fact.object for fact in members})
        typer.echo(f"{name}: {len(members)} facts with {objects} different objects{more}{without}")
    write_table(table, out)


@facts.command()
def validate(
    table: TableArgument = None,
    prompts: PromptsOption = None,
    column: ColumnOption = None,
    merge_repeats: MergeOption = False,
    model: Annotated[str | None, typer.Option(help="Say what teaching the table to this model costs.")] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the table here as it was meant: rows that repeat a subject as one fact, lists with ; as "
            "several objects, rows with an error left out.",
        ),
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
) -> None:
    """Check a table. Everything that is wrong with it, or may turn out to be, with its place and the remedy.

    Example: rote facts validate facts.csv --column subject=Name --model ./my-model --set tuning=lora
    """
    from rote.errors import ConfigError
    from rote.facts.linting import TableLint
    from rote.facts.reading import ReadOptions
    from rote.facts.relation import load_relations

    if not model and (revision or trust_remote_code or allow_pickle):
        raise ConfigError("--revision, --trust-remote-code and --allow-pickle say how a model is loaded; add --model")
    updates = names_updates(config)
    flags = TableFlags(table, read_columns(column), merge_repeats)
    settings = load_settings(
        None if updates else config, set_, table=flags, model=model, prompts=prompts, check_files=False
    )
    path, columns = _find_table(settings), settings.table.columns
    if fix:
        _check_mended(path, fix)
    how = ReadOptions(columns, settings.table.merge_repeats, skip_faulty=False)
    lint = TableLint(path, load_relations(settings.relations), how)
    for finding in lint.find():
        typer.echo(f"{'error' if finding.is_error else 'warning'}: {finding.text}")
    for name, count in lint.facts.items():
        typer.echo(f"{name}: facts: {count:,}, different objects: {lint.count_objects(name):,}")
    if model and lint.facts:
        from rote.pipeline.job import build_request

        rest = settings.table.model_copy(update={"skip_faulty": True})
        loading = build_load_options(revision, trust_remote_code, allow_pickle)
        fitted = fit_to_model(settings.model_copy(update={"table": rest}), loading, updates=updates)
        _print_costs(build_request(fitted, loading))
    if fix:
        _write_mended(path, fix, columns)
    else:
        _judge(path, lint, merged=how.merge_repeats)


def _find_table(settings: "Config") -> Path:
    """The file of the table that settings name; the fictional one where they name none. Raises `ConfigError` for a
    table that Rote makes itself."""
    from rote.errors import ConfigError
    from rote.facts.shipped import FICTIONAL

    if settings.table.file:
        return Path(settings.table.file)
    if settings.table.kind != "fictional":
        raise ConfigError(f"table.kind {settings.table.kind}: is made by Rote and needs no check; name a TABLE")
    return FICTIONAL / "facts.csv"


def _judge(path: Path, lint: "TableLint", *, merged: bool) -> None:
    """Say that there is nothing to mend. Raises `TableError` where there is, or nothing at all."""
    from rote.errors import TableError

    if lint.errors:
        left = sum(lint.facts.values())
        more = "" if merged else " (and --merge-repeats for rows that differ in their object)"
        raise TableError(
            f"{path}: errors: {lint.errors:,}, warnings: {lint.warnings:,}; mend the rows, or let rote run teach the "
            f"{left:,} that are right with --skip-faulty{more}"
        )
    if not lint.facts:
        raise TableError(f"{path}: the table has no facts; add one line for each fact below the header")
    typer.echo(f"{path.name}: facts: {sum(lint.facts.values()):,}, warnings: {lint.warnings:,}; nothing to mend")


@facts.command()
def show(
    table: TableArgument = None,
    prompts: PromptsOption = None,
    column: ColumnOption = None,
    merge_repeats: MergeOption = False,
    skip_faulty: SkipOption = False,
    count: Annotated[int, typer.Option(min=1, help="Facts per relation to show.")] = 3,
) -> None:
    """Show some facts of a table. With how they are asked for in each language.

    Example: rote facts show facts.csv --count 5
    """
    from rote.facts.relation import choose_packs

    named = choose_prompts(prompts, table)
    content, _ = read_table(table, build_read_options(column, merge_repeats, skip_faulty), named)
    packs = choose_packs(content, named)
    for name in content.relations:
        members = content.select(name)
        typer.echo(f"{name}: {len(members)} facts; {packs[name].description}")
        for fact in members[:count]:
            typer.echo(f"  {fact.subject} -> {' | '.join(fact.answers)}")
        for language in packs[name].languages:
            template = packs[name].select(language=language)[0]
            typer.echo(f"  {language}: {template.fill(members[0].subject)}{template.separator}{members[0].object}")


def _name_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def show_understood(table: "FactTable", packs: Sequence[Path] = ()) -> None:
    """Print five facts as the model would be asked for them, of as many relations as there are."""
    from itertools import chain, zip_longest

    from rote.facts.relation import choose_packs
    from rote.facts.text import build_prompt_text

    relations = choose_packs(table, packs)
    rounds = zip_longest(*(table.select(name)[:_EXAMPLES] for name in table.relations[:_EXAMPLES]))
    typer.echo("it was understood so:")
    for fact in list(filter(None, chain.from_iterable(rounds)))[:_EXAMPLES]:
        text = build_prompt_text(fact, relations[fact.relation].select_training(1)[0])
        typer.echo(f"  {text.prompt}{text.separator}{text.object}")


def _print_costs(request: "JobRequest") -> None:
    """What teaching takes on this machine."""
    from rote.pipeline.preview import rehearse

    typer.echo("timing a few updates and answers ...", err=True)
    costs, estimate = rehearse(request)
    typer.echo("\n".join([*(line for cost in costs for line in cost.describe()), *estimate.describe()]))


def _check_mended(path: Path, out: Path) -> None:
    from rote.errors import ConfigError

    check_table_file(out, flag="--fix")
    if out.resolve() == path.resolve():
        raise ConfigError(f"--fix {out}: is the table itself, which is never written over; name another file")


def _write_mended(path: Path, out: Path, columns: dict[str, str]) -> None:
    from rote.facts.mending import mend_table

    mended = mend_table(path, columns)
    typer.echo(f"rows left out: {mended.left_out:,}; facts with several objects, all of which count as right:")
    for fact in mended.several:
        typer.echo(f"  {fact.subject} - {fact.relation} - {' | '.join(item.name for item in fact.objects)}")
    write_table(mended.table, out, flag="--fix")


def write_table(table: "FactTable", out: Path, *, flag: str = "--out") -> None:
    """Write a table and say so. Raises `ConfigError` where there is another one."""
    from rote.errors import ConfigError
    from rote.facts.reading import load_table, save_table
    from rote.runs.files import replace_file

    check_table_file(out, flag=flag)
    if out.is_file() and load_table(out).content_hash != table.content_hash:
        raise ConfigError(f"{flag} {out}: holds another table; name another file, or delete it")
    with replace_file(out) as draft:
        save_table(table, draft)
    typer.echo(f"{out}: {len(table)} facts, hash {table.content_hash}")


def check_table_file(out: Path, *, flag: str = "--out") -> None:
    """Raise `ConfigError` for a file that no table is written to."""
    from rote.errors import ConfigError

    if out.suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"{flag} {out}: tables are written as .csv or .jsonl")
