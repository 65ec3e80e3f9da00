"""`rote prompts new|check`"""

from pathlib import Path
from typing import Annotated

import typer

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
) -> None:
    """Write a relation pack with some twenty English prompts to mend. A folder `prompts` beside a table is found.

    Example: rote prompts new manager --subject-type employee --object-type person
    """
    from rote.errors import ConfigError
    from rote.facts.prompt_checking import write_scaffold
    from rote.runs.files import replace_file

    if not relation.replace("_", "").isalnum():
        raise ConfigError(f"{relation!r} is no name for a relation; use letters, digits and underscores")
    wanted = [code.strip() for code in languages.split(",")]
    odd = [word for word in (subject_type, object_type, *wanted) if not word.replace("_", "").isalnum()]
    if odd:
        raise ConfigError(f"{odd[0]!r} is no type or language; write a word, as person or de")
    path = out or Path("prompts") / f"{relation}.yaml"
    if path.exists():
        raise ConfigError(f"--out {path}: is there already; name another file, or delete it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as draft:
        draft.write_text(write_scaffold(relation, (subject_type, object_type), wanted), encoding="utf-8")
    typer.echo(f"{path}: read and mend its prompts, then: rote prompts check {path}")


@prompts.command()
def check(packs: Annotated[list[Path], typer.Argument(help="Relation packs (YAML).")]) -> None:
    """Check that prompts end where the object follows, repeat nothing, and that training and held-out ones differ.

    Example: rote prompts check born_in.yaml
    """
    from rote.errors import TemplateError
    from rote.facts.prompt_checking import check_prompts

    errors = 0
    for pack in packs:
        for finding in check_prompts(pack):
            errors += finding.is_error
            typer.echo(f"{'error' if finding.is_error else 'warning'}: {finding.text}")
    if errors:
        raise TemplateError(f"{errors} of the prompts cannot be used as they are; mend them and check again")
    typer.echo(f"{', '.join(map(str, packs))}: nothing to mend")
