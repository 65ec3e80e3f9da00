"""`rote ask`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli.options import (
    JsonOption,
    PickleOption,
    QuietOption,
    RemoteCodeOption,
    RevisionOption,
    build_load_options,
    print_json,
)

if TYPE_CHECKING:
    from rote.facts.fact import Fact

_NOTHING = "(nothing: the text ends here)"


def ask(
    model: Annotated[str, typer.Argument(help="Folder or hub name of a causal LM, or rote-tiny.")],
    question: Annotated[str, typer.Argument(help="A question, or the beginning of a statement.")],
    base: Annotated[str | None, typer.Option(help="Another model to ask beside it, such as its base model.")] = None,
    top: Annotated[
        int,
        typer.Option(
            min=0,
            help="Show the answers that each model is likeliest to give, so many, and how probable each is.",
        ),
    ] = 0,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask a model one question. Print what it says, greedily, beside its base model, and whether it was taught.

    Example: rote ask runs/mine/model "Who is Gene Finley's mother?" --base rote-tiny --top 3
    """
    from rote.evaluation.asking import ask_model, find_taught, rank_candidates
    from rote.models.loading import load_model

    check_question(question)
    asked = [(model, build_load_options(revision, trust_remote_code, allow_pickle))]
    if base:
        asked.append((base, build_load_options(None, trust_remote_code, allow_pickle)))
    models = [load_model(name, loading) for name, loading in asked]
    answers = [
        {
            "model": name,
            "revision": loading.revision,
            "answer": ask_model(language_model, question),
            "candidates": [vars(found) for found in rank_candidates(language_model, question, count=top)],
        }
        for (name, loading), language_model in zip(asked, models, strict=True)
    ]
    facts = find_taught(Path(model), question)
    if json:
        print_json({"question": question, "models": answers, "taught": [_describe_fact(fact) for fact in facts]})
        return
    for answer in answers:
        _print_answer(answer, beside=bool(base))
    _print_taught(facts)


def check_question(question: str) -> None:
    """Raise `EncodingError` for a question that was given in other bytes than those of UTF-8."""
    from rote.errors import EncodingError

    try:
        question.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EncodingError(f"{question!a}: is no UTF-8 text; save or type it as UTF-8") from error


def _describe_fact(fact: "Fact") -> dict[str, Any]:
    return {
        "subject": fact.subject,
        "relation": fact.relation,
        "answers": list(fact.answers),
        "row": {column: str(value) for column, value in fact.provenance.describe().items()},
    }


def _print_answer(answer: dict[str, Any], *, beside: bool) -> None:
    revision = f" ({answer['revision']})" if answer["revision"] else ""
    label = f"{answer['model']}{revision}: " if beside else ""
    typer.echo(f"{label}{answer['answer'] or _NOTHING}")
    for candidate in answer["candidates"]:
        typer.echo(f"  {candidate['probability']:6.1%}  {candidate['text'] or _NOTHING}")


def _print_taught(facts: "list[Fact]") -> None:
    for fact in facts:
        origin = ", ".join(f"{column} {value}" for column, value in fact.provenance.describe().items())
        shown = f"{fact.subject} - {fact.relation} - {' | '.join(fact.answers)}"
        typer.echo(f"in the table: {shown}" + (f" ({origin})" if origin else ""))
    if not facts:
        typer.echo("in the table: nothing about this was found")
