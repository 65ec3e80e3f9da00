"""`rote ask`"""

from typing import Annotated

import typer


def ask(
    model: Annotated[str, typer.Argument(help="Folder or hub name of a causal LM, or rote-tiny.")],
    question: Annotated[str, typer.Argument(help="A question, or the beginning of a statement.")],
) -> None:
    """Ask a model one question and print what it says, greedily.

    Example: rote ask runs/mine/model "Who is Gene Finley's mother?"
    """
    from rote.models.language_model import load_model
    from rote.pipeline.asking import ask_model

    typer.echo(ask_model(load_model(model), question))
