"""Dot plots of an experiment: a small panel per column, in it a row per run, on an axis from 0 to 1.

Ours is a full dot with its 95% interval, the paper's figure an open diamond, so nothing hangs on colour.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rote.figures import Figure
from rote.report.display import clean_text, format_figure, format_number
from rote.report.drawing import draw_line, draw_mark, draw_text, draw_whisker, wrap_svg

WIDTH = 340.0
LEFT, AXIS = 138.0, 134.0
TOP, ROW_HEIGHT, FOOT = 8.0, 34.0, 24.0
VALUE = LEFT + AXIS + 14
LABEL_LETTERS, LABEL_LINES = 19, 2
_LINE = 13.0


@dataclass(frozen=True)
class DotRow:
    """What one run came to, and the paper's figure for it; None where nothing was asked, or the paper has none."""

    run: str
    figure: Figure | None
    paper: float | None = None


@dataclass(frozen=True)
class DotPanel:
    """One column of an experiment."""

    title: str
    rows: tuple[DotRow, ...]


def draw_dots(panel: DotPanel) -> Markup:
    """The panel without its title, which stands above it as text and may be long."""
    bottom = TOP + len(panel.rows) * ROW_HEIGHT
    parts = _draw_axis(bottom)
    parts += [_draw_row(row, TOP + (number + 0.5) * ROW_HEIGHT) for number, row in enumerate(panel.rows)]
    spoken = clean_text(f"{panel.title}: {'; '.join(_describe(row) for row in panel.rows)}")
    return wrap_svg(parts, WIDTH, bottom + FOOT, css="dots", title=spoken)


def draw_ours(x: float, y: float) -> Markup:
    """Our mark, as in the panels."""
    return Markup('<g class="m-generalize">{}</g>').format(draw_mark("generalize", x, y))


def draw_paper(x: float, y: float, size: float = 7.0) -> Markup:
    """The paper's mark: an open diamond, so that a dot behind it stays visible."""
    path = f"M{x:.1f} {y - size:.1f}l{size:g} {size:g}l-{size:g} {size:g}l-{size:g} -{size:g}z"
    return Markup('<path class="paper" d="{}"/>').format(path)


def has_paper(panels: Sequence[DotPanel]) -> bool:
    """Whether any row has a figure of the paper."""
    return any(row.paper is not None for panel in panels for row in panel.rows)


def _draw_axis(bottom: float) -> list[Markup]:
    parts = []
    for value in (0.0, 0.5, 1.0):
        x = _x(value)
        parts.append(draw_line((x, TOP), (x, bottom), css="grid"))
        parts.append(draw_text(x, bottom + 15, f"{value:g}", css="tick middle"))
    return parts


def _draw_row(row: DotRow, y: float) -> Markup:
    parts = [*_draw_label(row.run, y), draw_line((LEFT, y), (LEFT + AXIS, y), css="track")]
    value_y = y + 4 if row.paper is None else y - 3
    if row.figure is None:
        parts.append(draw_text(VALUE, value_y, "not asked", css="hint"))
    else:
        parts.append(_draw_figure(row.figure, y))
        parts.append(draw_text(VALUE, value_y, format_number(row.figure.value), css="value"))
    if row.paper is not None:
        parts += [draw_paper(_x(row.paper), y), draw_paper(VALUE + 4, y + 8, 4)]
        parts.append(draw_text(VALUE + 12, y + 12, format_number(row.paper), css="hint"))
    title = clean_text(_describe(row))
    return Markup("<g><title>{}</title>{}</g>").format(title, Markup("").join(parts))


def _draw_label(run: str, y: float) -> list[Markup]:
    """The name of a run on up to two lines; a row's title has all of it."""
    lines = textwrap.wrap(clean_text(run), LABEL_LETTERS, max_lines=LABEL_LINES, placeholder="…")
    first = y + 4 - (len(lines) - 1) * _LINE / 2
    return [draw_text(LEFT - 12, first + n * _LINE, line, css="label end") for n, line in enumerate(lines)]


def _draw_figure(figure: Figure, y: float) -> Markup:
    parts = [draw_mark("generalize", _x(figure.value), y)]
    if figure.low < figure.high:
        parts.insert(0, draw_whisker(_x(figure.low), _x(figure.high), y))
    return Markup('<g class="m-generalize">{}</g>').format(Markup("").join(parts))


def _x(value: float) -> float:
    """The place of a value from 0 to 1."""
    return LEFT + min(max(value, 0.0), 1.0) * AXIS


def _describe(row: DotRow) -> str:
    figure, paper = row.figure, "" if row.paper is None else f", paper {format_number(row.paper)}"
    if figure is None:
        return f"{row.run} not asked{paper}"
    return f"{row.run} {format_figure(figure)}, n {figure.n}{paper}"
