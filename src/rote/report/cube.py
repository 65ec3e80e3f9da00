"""The cube: facts x prompts x languages x moments x measures, as the rows of a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from rote.figures import Figure
from rote.report.display import FEW, MISSING, format_count, format_counts, format_number, format_share, shorten_text
from rote.report.summary import Questions, Summary
from rote.report.words import FACT_SET_NOTES, FACT_SETS, label_prompts

HEAT_LEVELS = 10


@dataclass(frozen=True)
class CubeCell:
    """A figure as it is printed; `heat` is 0 to 10 (0 where low is good), or None where nothing was measured."""

    mean: str
    interval: str
    heat: int | None


@dataclass(frozen=True)
class CubeRow:
    """One kind of question; `measures` has, per measure, a cell per moment and the number of questions."""

    label: str
    starts_group: bool
    measures: tuple[tuple[tuple[CubeCell, ...], str], ...]


@dataclass(frozen=True)
class CubeBlock:
    """The rows of one fact set."""

    name: str
    note: str
    rows: tuple[CubeRow, ...]

    @property
    def size(self) -> int:
        """How many kinds of questions it has."""
        return len(self.rows)


def build_cube(summary: Summary, *, fact_counts: Mapping[str, int], silent: bool = False) -> list[CubeBlock]:
    """A block per fact set, in the order of the summary. `fact_counts` is how many facts each set has, where known.

    The rows of questions that were answered at some moment, or the `silent` ones that never were.
    """
    names = list(dict.fromkeys(item.fact_set for item in summary.questions))
    blocks = [_build_block(summary, name, fact_counts.get(name, 0), silent=silent) for name in names]
    return [block for block in blocks if block.rows]


def _is_silent(summary: Summary, questions: Questions) -> bool:
    found = [summary.find(questions, moment) for moment in summary.moments]
    return any(found) and not any(figure.value for figure in found if figure)


def _build_block(summary: Summary, fact_set: str, count: int, *, silent: bool) -> CubeBlock:
    name = FACT_SETS.get(fact_set) or shorten_text(fact_set, 20)
    title = f"{format_count(count)} {name}" if count else name[:1].upper() + name[1:]
    questions = [item for item in summary.select(fact_set=fact_set) if _is_silent(summary, item) == silent]
    first = {item.prompt_set: item for item in reversed(questions)}
    rows = tuple(_build_row(summary, item, first[item.prompt_set] == item) for item in questions)
    return CubeBlock(title, FACT_SET_NOTES.get(fact_set, ""), rows)


def _build_row(summary: Summary, questions: Questions, starts_group: bool) -> CubeRow:
    measures = []
    for measure in summary.measures:
        figures = [summary.find(questions, moment, measure) for moment in summary.moments]
        counts = format_counts([figure.n for figure in figures if figure])
        high_is_good = questions.prompt_set != "control"
        cells = tuple(_build_cell(figure, high_is_good, is_share=measure != "object_probability") for figure in figures)
        measures.append((cells, counts))
    return CubeRow(label_prompts(questions.prompt_set, questions.language), starts_group, tuple(measures))


def _build_cell(figure: Figure | None, high_is_good: bool, *, is_share: bool) -> CubeCell:
    if figure is None:
        return CubeCell(MISSING, "", None)
    interval = ""
    if figure.low < figure.high:
        interval = f"{format_number(figure.low)}–{format_number(figure.high)}"
    heat = round(min(max(figure.value, 0.0), 1.0) * HEAT_LEVELS) if high_is_good else 0
    mean = format_share(figure) if is_share and figure.n < FEW else format_number(figure.value)
    return CubeCell(mean, interval, heat)
