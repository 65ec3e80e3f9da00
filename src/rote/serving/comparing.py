"""Two runs side by side: what they were set to, their figures, and the questions that one of them alone answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.comparison.runs import ComparedRow, compare_runs, format_settings, load_settings, pick_last_moments
from rote.records import Record
from rote.report.display import clean_text, format_figure, shorten_text
from rote.report.words import FACT_SETS, label_moment, label_prompts
from rote.runs.moments import load_all_records
from rote.runs.opening import find_run_folder
from rote.serving.views import cut_page, view_answer

_Question = tuple[str, ...]


@dataclass(frozen=True)
class ComparedRuns:
    """All that the page shows, computed once."""

    names: tuple[str, str]
    settings: Sequence[str]
    rows: Sequence[ComparedRow]
    differing: Sequence[tuple[Record, Record]]
    """The answers of both to each question that one alone answers right, after their last stage."""
    matched: int
    """Questions about the same object that both were asked."""


def load_compared(first: Path, second: Path) -> ComparedRuns:
    """Read two runs. Raises `RunError` where one is none, is not finished, or a file of it is damaged."""
    records = pick_last_moments(load_all_records(find_run_folder(path)) for path in (first, second))
    short = [path.resolve().name for path in (first, second)]
    names = (short[0], short[1]) if short[0] != short[1] else (f"{short[0]} (first)", f"{short[1]} (second)")
    settings = format_settings({name: load_settings(path) for name, path in zip(names, (first, second), strict=True)})
    pairs = match_records(*records)
    differing = [(one, other) for one, other in pairs if one.correct != other.correct]
    return ComparedRuns(names, list(settings), list(compare_runs(records)), differing, len(pairs))


def match_records(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    """The answers of both to each question about the same object that both were asked."""
    others = {_name(record): record for record in second}
    return [(record, others[_name(record)]) for record in first if _name(record) in others]


def _name(record: Record) -> _Question:
    question = (record.fact_set, record.prompt_set, record.language)
    return (*question, record.relation, record.subject, record.object, record.prompt)


def view_comparison(compared: ComparedRuns, number: int) -> dict[str, Any]:
    """The page of two runs."""
    page = cut_page(compared.differing, number, "/compare")
    return {
        "names": [shorten_text(name, 40) for name in compared.names],
        "settings": [clean_text(line) for line in compared.settings],
        "figures": [_view_row(row) for row in compared.rows],
        "matched": compared.matched,
        "page": page,
        "rows": [_view_pair(*pair) for pair in page.rows],
    }


def _view_row(row: ComparedRow) -> dict[str, Any]:
    moment, fact_set, prompt_set, language = row.questions
    prompts = label_prompts(prompt_set, language)
    return {
        "questions": f"{FACT_SETS.get(fact_set, fact_set)}, {prompts[:1].lower()}{prompts[1:]}",
        "moment": label_moment(moment),
        "figures": [format_figure(figure) for figure in row.figures],
        "difference": format_figure(row.difference, "+z.2f"),
    }


def _view_pair(first: Record, second: Record) -> dict[str, Any]:
    return {
        "prompt": clean_text(first.prompt),
        "language": first.language,
        "label": label_prompts(first.prompt_set, first.language),
        "object": shorten_text(first.object, 80),
        "answers": [view_answer(record) for record in (first, second)],
    }
