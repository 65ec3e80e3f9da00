"""`rote facts convert`"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli.facts import check_table_file, show_understood, write_table
from rote.cli.options import SkipOption

if TYPE_CHECKING:
    from rote.facts.converting import Converted


class Which(StrEnum):
    """Which object of an edit is the fact."""

    new = "new"
    true = "true"


def convert(
    records: Annotated[Path, typer.Argument(help="JSON or JSON Lines: CounterFact, MQuAKE, zsRE, a Wikidata query.")],
    out: Annotated[Path, typer.Option(help="The table of facts, .csv or .jsonl.")],
    objects: Annotated[
        Which, typer.Option(help="Which object of an edit becomes the fact: the new one, or the true one.")
    ] = Which.new,
    write_prompts: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the wordings that come with the records here, as relation packs."),
    ] = None,
    skip_faulty: SkipOption = False,
) -> None:
    """Make a table of facts from records as the field publishes them. Their kind is told by their fields.

    Example: rote facts convert counterfact.json --out facts.csv --write-prompts prompts --skip-faulty
    """
    from rote.facts.converting import convert_records, write_packs
    from rote.facts.published import load_records

    check_table_file(out)
    kind, found = load_records(records)
    which = f", their {objects.value} objects (--objects)" if kind.edits else ""
    typer.echo(f"{records}: {len(found):,} records of {kind.name} (told by {kind.fields}){which}")
    converted = convert_records(records, kind, found, which=objects.value, skip_faulty=skip_faulty)
    table, packs = converted.build_table(), dict(write_packs(converted.wordings)) if write_prompts else {}
    files = {_name_pack(write_prompts, relation): text for relation, text in packs.items()} if write_prompts else {}
    _check_absent(files)
    _say_what_is_missing(converted)
    write_table(table, out)
    _write_packs(files)
    show_understood(table, list(files))


def _name_pack(folder: Path, relation: str) -> Path:
    return folder / f"{relation}.yaml"


def _check_absent(files: Mapping[Path, str]) -> None:
    """Raises `ConfigError` where a pack is there that says something else: a person may have mended it."""
    from rote.errors import ConfigError

    for path, text in files.items():
        if path.exists() and path.read_bytes() != text.encode():
            raise ConfigError(f"--write-prompts: {path} is there already; name another folder, or delete it")


def _write_packs(files: Mapping[Path, str]) -> None:
    from rote.runs.files import replace_file

    for path, text in files.items():
        with replace_file(path) as draft:
            draft.write_text(text, encoding="utf-8")
    if files:
        typer.echo(f"{next(iter(files)).parent}: relation packs: {len(files)}; rote prompts check says what they lack")


def _say_what_is_missing(converted: "Converted") -> None:
    if converted.left_out:
        typer.echo(f"records left out because of a mistake: {converted.left_out:,}", err=True)
    if converted.contradicting:
        typer.echo(
            f"edits left out because an earlier record gives the fact another object: {converted.contradicting:,}",
            err=True,
        )
