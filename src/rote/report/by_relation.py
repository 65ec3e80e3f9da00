"""The relations of a table side by side: which were learned and which were not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rote.report.display import MISSING, clean_text, format_count, format_figure
from rote.report.headline import find_main_questions
from rote.report.summary import Questions, Summary
from rote.report.words import FACT_SETS, label_prompts


@dataclass(frozen=True)
class RelationLine:
    """One relation: which questions stand for it; by key token at the last moment, in words at the first and last."""

    name: str
    questions: str
    key: str
    before: str
    after: str
    count: str


def build_relations(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[RelationLine]:
    """A line for each relation that was taught: its held-out facts, or those shown again where it has no others.

    None for a single relation, which is the whole.
    """
    summaries = {name: Summary(of_one) for name, of_one in rows.items()}
    asked = {name: find_main_questions(summary, summary.main_fact_set) for name, summary in summaries.items()}
    lines = [_build_line(name, summaries[name], questions) for name, questions in asked.items() if questions]
    return lines if len(lines) > 1 else []


def _build_line(name: str, summary: Summary, asked: Questions) -> RelationLine:
    first, last = (summary.find(asked, moment) for moment in (summary.moments[0], summary.moments[-1]))
    prompts = label_prompts(asked.prompt_set, asked.language)
    by_key = summary.select(fact_set=asked.fact_set, prompt_set="key")
    return RelationLine(
        name=clean_text(name),
        questions=f"{FACT_SETS[asked.fact_set]}, {prompts[:1].lower()}{prompts[1:]}",
        key=format_figure(summary.find(by_key[0], summary.moments[-1]) if by_key else None),
        before=format_figure(first),
        after=format_figure(last),
        count=format_count(last.n) if last else MISSING,
    )
