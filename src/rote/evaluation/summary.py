"""`summary.json`: every figure of a run as a list of rows, computed from records only. No torch.

The keys of a row, their values and the order of rows are a contract that other programs rely on.
"""

from collections.abc import Iterable, Sequence

from rote.evaluation.statistics import compute_interval
from rote.facts.relation import LANGUAGES
from rote.figures import FigureRow, build_figure_row
from rote.records import (
    FACT_SETS,
    MEASURES,
    MOMENTS,
    NO_LANGUAGE,
    QUESTION_SETS,
    FactSet,
    Measure,
    Moment,
    QuestionSet,
    Record,
)


class SummaryRow(FigureRow):
    """One figure: a mean in [0, 1] with its 95% interval over `n` questions."""

    moment: Moment
    fact_set: FactSet
    prompt_set: QuestionSet
    language: str
    measure: str


_Group = tuple[Moment, FactSet, QuestionSet, str]


def compute_summary(records: Iterable[Record]) -> list[SummaryRow]:
    """One row per moment, fact set, prompt set, language and measure that was asked, in a fixed order.

    A measure is over the questions it applies to: choice accuracy over those that were asked as a choice.
    """
    groups: dict[_Group, list[Record]] = {}
    for record in records:
        group = (record.moment, record.fact_set, record.prompt_set, record.language)
        groups.setdefault(group, []).append(record)
    ordered = sorted(groups, key=_rank)
    rows = [_build_row(group, measure, groups[group]) for group in ordered for measure in MEASURES.values()]
    return [row for row in rows if row is not None]


def compute_by_relation(records: Iterable[Record]) -> dict[str, list[SummaryRow]]:
    """The summary of each relation on its own, by name; as `relations.json` has it."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.relation, []).append(record)
    return {name: compute_summary(groups[name]) for name in sorted(groups)}


def _rank(group: _Group) -> tuple[int, int, int, int, str]:
    """The place of a group: languages in the order of the packs, then others by name, then "-"."""
    moment, fact_set, prompt_set, language = group
    last = len(LANGUAGES) + (language == NO_LANGUAGE)
    place = LANGUAGES.index(language) if language in LANGUAGES else last
    when = MOMENTS.index(moment) if moment in MOMENTS else len(MOMENTS)  # stages of other methods, as they come
    return when, FACT_SETS.index(fact_set), QUESTION_SETS.index(prompt_set), place, language


def _build_row(group: _Group, measure: Measure, records: Sequence[Record]) -> SummaryRow | None:
    read = [(measure.read(record), (record.relation, record.subject)) for record in records]
    asked = [(value, fact) for value, fact in read if value is not None]
    if not asked:
        return None
    figure = compute_interval([value for value, _ in asked], [fact for _, fact in asked])
    moment, fact_set, prompt_set, language = group
    return {
        "moment": moment,
        "fact_set": fact_set,
        "prompt_set": prompt_set,
        "language": language,
        "measure": measure.name,
        **build_figure_row(figure),
    }
