"""`rote chat`"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from rote.cli.ask import check_question
from rote.cli.options import PickleOption, RemoteCodeOption, RevisionOption, build_load_options

_PROMPT = "> "
_NOTHING = "(nothing)"


def chat(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    base: Annotated[
        str | None, typer.Option(help="The model that is asked beside the taught one; by default the run's own base.")
    ] = None,
    template: Annotated[bool, typer.Option(help="Put questions as messages, in the chat template.")] = False,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
) -> None:
    """Ask one question after the other. The taught model and its base answer, and taught facts are shown.

    A question is a line; an empty one, or Ctrl-D, ends it. Questions of a file: rote chat runs/mine < questions.txt

    Example: rote chat runs/mine
    """
    from rote.errors import EncodingError
    from rote.evaluation.asking import ask_model, find_taught
    from rote.runs.opening import find_run_folder
    from rote.serving.asker import load_asker

    folder = find_run_folder(run)
    asker = load_asker(run, base, build_load_options(revision, trust_remote_code, allow_pickle))
    for question in _read_questions():
        try:
            check_question(question)
            asker.check(question, chat=template)
        except EncodingError as error:  # the next one may be better
            typer.echo(f"rote: {error}", err=True)
            continue
        for side, model in asker.models.items():
            typer.echo(f"{side}: {ask_model(model, question, chat=template) or _NOTHING}")
        for fact in find_taught(folder.model, question):
            typer.echo(f"in the table: {fact.subject} - {fact.relation} - {' | '.join(fact.answers)}")


def _read_questions() -> Iterator[str]:
    """Lines, with a mark to write behind where a person writes; blank lines of a file are passed over."""
    is_person = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # a line that is no UTF-8 is refused alone
    while True:
        if is_person:
            typer.echo(_PROMPT, nl=False)
        line = sys.stdin.readline()
        if not line or (is_person and not line.strip()):
            return
        if line.strip():
            if not is_person:
                typer.echo(f"{_PROMPT}{line.strip().encode(errors='replace').decode()}")
            yield line.strip()
