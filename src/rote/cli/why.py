"""`rote why`"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rote.report.one_fact import FactStory

_SHOWN = 60
"""Characters of an answer."""
_VERDICTS = (("wrong", "right"), ("", "leak"))
"""Of an answer without the object, and of one with it; after control prompts it should not come."""


def why(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    subject: Annotated[str, typer.Argument(help="The subject of a fact, as in the table.")],
    relation: Annotated[str, typer.Argument(help="Its relation.")],
) -> None:
    """Show why one fact is answered as it is: every wording before and after, confusions, and what to try.

    Example: rote why runs/mine "Gene Finley" mother
    """
    from rote.facts.reading import load_table
    from rote.report.one_fact import tell_fact
    from rote.report.words import FACT_SETS
    from rote.runs.moments import load_all_records
    from rote.runs.opening import find_run_folder

    folder = find_run_folder(run)
    others = [fact for fact in load_table(folder.table) if fact.subject != subject]
    story = tell_fact(load_all_records(folder), subject, relation, others)
    fact_set = FACT_SETS.get(story.fact_set, story.fact_set)
    typer.echo(f"{story.subject} - {story.relation} - {story.object} ({fact_set})")
    typer.echo("\n".join(_list_wordings(story)))
    for confusion in story.confusions:
        typer.echo(f"confused: {confusion}")
    typer.echo(f"try: {story.advice}")


def _list_wordings(story: "FactStory") -> Iterator[str]:
    from rote.report.display import shorten_text
    from rote.report.words import label_moments, label_prompts

    labels = label_moments(story.moments)
    width = max(map(len, labels.values()))
    for wording in story.wordings:
        yield f"{label_prompts(wording.prompt_set, wording.language)}: {wording.prompt}"
        for moment in filter(wording.records.get, story.moments):
            record = wording.records[moment]
            verdict = _VERDICTS[wording.prompt_set == "control"][record.correct]
            said = shorten_text(record.generated, _SHOWN) or "(nothing)"
            yield f"  {labels[moment]:{width}}  {verdict:5}  {said}"
