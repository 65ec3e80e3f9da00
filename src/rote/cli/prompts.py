"""`rote prompts new|check`"""

from pathlib import Path
from typing import Annotated

import typer

prompts = typer.Typer(name="prompts", help="Write and check relation packs.", no_args_is_help=True)


@prompts.command()
def new(
    relation: Annotated[str, typer.Argument(help="Name of the relation, as in the table.")],
    out: Annotated[Path | None, typer.Option(help="The YAML file; by default RELATION.yaml here.")] = None,
) -> None:
    """Write a relation pack to fill in.

    Example: rote prompts new born_in
    """
    from rote.errors import ConfigError
    from rote.facts.prompt_checking import write_scaffold
    from rote.runs.files import replace_file

    if not relation.replace("_", "").isalnum():
        raise ConfigError(f"{relation!r} is no name for a relation; use letters, digits and underscores")
    path = out or Path(f"{relation}.yaml")
    if path.exists():
        raise ConfigError(f"--out {path}: is there already; name another file, or delete it")
    with replace_file(path) as draft:
        draft.write_text(write_scaffold(relation), encoding="utf-8")
    typer.echo(f"{path}: fill it in, then: rote prompts check {path}")


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
