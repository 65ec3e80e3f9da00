"""The relations of a table side by side: which were learned and which were not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rote.report.display import MISSING, clean_text, format_count, format_number
from rote.report.headline import find_main_questions
from rote.report.summary import Figure, Questions, Summary


@dataclass(frozen=True)
class RelationLine:
    """One relation: by key token at the last moment, then in other words at the first and the last."""

    name: str
    key: str
    before: str
    after: str
    count: str


def build_relations(rows: Mapping[str, Sequence[Mapping[str, Any]]], fact_set: str) -> list[RelationLine]:
    """A line for each relation about which the fact set was asked; none for a single one, which is the whole."""
    summaries = {name: Summary(of_one) for name, of_one in rows.items()}
    asked = {name: find_main_questions(summary, fact_set) for name, summary in summaries.items()}
    lines = [_build_line(name, summaries[name], questions) for name, questions in asked.items() if questions]
    return lines if len(lines) > 1 else []


def _build_line(name: str, summary: Summary, asked: Questions) -> RelationLine:
    first, last = (summary.find(asked, moment) for moment in (summary.moments[0], summary.moments[-1]))
    by_key = summary.select(fact_set=asked.fact_set, prompt_set="key")
    return RelationLine(
        name=clean_text(name),
        key=_format(summary.find(by_key[0], summary.moments[-1]) if by_key else None),
        before=_format(first),
        after=_format(last),
        count=format_count(last.n) if last else MISSING,
    )


def _format(figure: Figure | None) -> str:
    if figure is None:
        return MISSING
    return f"{format_number(figure.mean)} [{format_number(figure.low)}, {format_number(figure.high)}]"
