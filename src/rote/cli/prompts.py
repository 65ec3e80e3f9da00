"""`rote prompts new|check`"""

import os
from pathlib import Path
from typing import Annotated

import typer

from rote.cli.options import refuse_idle_flags

prompts = typer.Typer(name="prompts", help="Write and check relation packs.", no_args_is_help=True)


@prompts.command()
def new(
    relation: Annotated[str, typer.Argument(help="Name of the relation, as in the table.")],
    subject_type: Annotated[
        str, typer.Option(help="What the subjects are: person, organisation, place, or another word.")
    ] = "thing",
    object_type: Annotated[
        str, typer.Option(help="What the objects are: person, place, organisation, date, number, or another word.")
    ] = "thing",
    languages: Annotated[str, typer.Option(help="Languages to leave places for beside English, as en,de.")] = "en",
    out: Annotated[
        Path | None, typer.Option(help="The YAML file; by default RELATION.yaml in the folder prompts.")
    ] = None,
    from_model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Let this model propose more English prompts: a folder, or a name."),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where that model is served: a server that speaks OpenAI's protocol."),
    ] = None,
) -> None:
    """Write a relation pack with some twenty English prompts to mend. A folder `prompts` beside a table is found.

    What a model proposes stands in it behind a # where it passes `rote prompts check`; the rest is listed, with the
    reason.

    Example: rote prompts new manager --subject-type employee --object-type person
    """
    from rote.facts.prompt_checking import write_scaffold
    from rote.facts.proposals import propose_texts
    from rote.runs.files import check_writable, replace_file

    types, wanted = (subject_type, object_type), [code.strip() for code in languages.split(",")]
    path = out or Path("prompts") / f"{relation}.yaml"
    _check_words(relation, (*types, *wanted))
    refuse_idle_flags("--from-model", is_given=bool(from_model), beside={}, needing={"--endpoint": endpoint})
    _check_absent(path)
    check_writable(path)
    texts: dict[str, list[str]] | None = None
    if from_model:
        texts = propose_texts(relation, subject_type=subject_type, object_type=object_type)
        texts = _ask_for_more(from_model, endpoint, relation, types, texts)
    _check_absent(path)  # a model may take minutes
    with replace_file(path) as draft:
        pack = write_scaffold(relation, types, wanted, proposed=texts, proposer=from_model or "")
        draft.write_text(pack, encoding="utf-8")
    typer.echo(f"{path}: read and mend its prompts, then: rote prompts check {path}")


def _check_words(relation: str, words: tuple[str, ...]) -> None:
    from rote.errors import ConfigError

    if not relation.replace("_", "").isalnum():
        raise ConfigError(f"{relation!r} is no name for a relation; use letters, digits and underscores")
    odd = [word for word in words if not word.replace("_", "").isalnum()]
    if odd:
        raise ConfigError(f"{odd[0]!r} is no type or language; write a word, as person or de")


def _check_absent(path: Path) -> None:
    from rote.errors import ConfigError

    if os.path.exists(path):
        raise ConfigError(f"--out {path}: is there already; name another file, or delete it")


def _ask_for_more(
    model: str, endpoint: str | None, relation: str, types: tuple[str, str], texts: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Those texts, and what a model adds to them."""
    from rote.errors import shorten
    from rote.pipeline.proposing import propose_more

    found = propose_more(model, relation, types, texts, endpoint=endpoint)
    for text, reason in found.refused:
        typer.echo(f"refused: {shorten(text)} {reason}")
    typer.echo(
        f"{model}: prompts refused: {len(found.refused)}; in the file behind a #: {len(found.taken)}, take it away "
        "where a prompt asks for what is meant"
    )
    return found.add_to(texts)


@prompts.command()
def check(packs: Annotated[list[Path], typer.Argument(help="Relation packs (YAML), or folders of them.")]) -> None:
    """Check that prompts end where the object follows, repeat nothing, and that training and held-out ones differ.

    Example: rote prompts check born_in.yaml
    """
    from rote.errors import TemplateError
    from rote.facts.prompt_checking import check_prompts
    from rote.facts.relation import list_packs

    errors, read = 0, list_packs(packs)
    for pack in read:
        for finding in check_prompts(pack):
            errors += finding.is_error
            typer.echo(f"{'error' if finding.is_error else 'warning'}: {finding.text}")
    if errors:
        raise TemplateError(f"{errors} of the prompts cannot be used as they are; mend them and check again")
    typer.echo(f"{', '.join(map(str, packs))}: {len(read)} pack{'s' * (len(read) != 1)}, nothing to mend")
