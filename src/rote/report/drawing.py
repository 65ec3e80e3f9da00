"""Figures as inline SVG, and the strokes they are made of.

Colours come from the page's style, by class. Everything goes through `Markup.format`, which escapes text.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rote.figures import Figure
from rote.report.curves import Curve
from rote.report.display import format_share
from rote.report.headline import PictureRow
from rote.report.words import label_moment

ROW_HEIGHT = 36
HEAD = 30
FOOT = 26
LABELS = 204
VALUE = 62
GAP = 18


@dataclass(frozen=True)
class Layout:
    """Where the panels of the picture go: beside or below one another."""

    name: str
    width: int
    stacked: bool


LAYOUTS = (Layout("wide", 940, stacked=False), Layout("narrow", 380, stacked=True))


@dataclass(frozen=True)
class Panel:
    """The place of one panel: its axis runs from `left` over `width`, its rows begin at `top`."""

    left: float
    width: float
    top: float
    rows: int

    @property
    def bottom(self) -> float:
        """Where the axis is."""
        return self.top + self.rows * ROW_HEIGHT

    def x(self, value: float) -> float:
        """The place of a value from 0 to 1."""
        return self.left + min(max(value, 0.0), 1.0) * self.width

    def y(self, row: int) -> float:
        """The middle of a row."""
        return self.top + (row + 0.5) * ROW_HEIGHT


def draw_picture(rows: Sequence[PictureRow], moments: Sequence[str], layout: Layout) -> Markup:
    """The picture at the top: a panel per moment, a dot with its interval per row, on an axis from 0 to 1."""
    panels = _place_panels(layout, len(rows), len(moments))
    parts: list[Markup] = []
    for index, (moment, panel) in enumerate(zip(moments, panels, strict=True)):
        if layout.stacked or index == 0:
            parts += _draw_labels(rows, panel)
        parts += _draw_frame(panel, label_moment(moment))
        parts += [_draw_dot(row, panel, number, (moment, index)) for number, row in enumerate(rows)]
    height = panels[-1].bottom + FOOT
    return wrap_svg(parts, layout.width, height, css=f"picture {layout.name}", title="Generation accuracy by moment")


def _place_panels(layout: Layout, rows: int, count: int) -> list[Panel]:
    if layout.stacked:
        labels, step = LABELS - 14, HEAD + rows * ROW_HEIGHT + FOOT + 14
        width = float(layout.width - labels - VALUE)
        return [Panel(labels, width, HEAD + index * step, rows) for index in range(count)]
    width = (layout.width - LABELS) / count - VALUE - GAP
    return [Panel(LABELS + index * (width + VALUE + GAP), width, HEAD, rows) for index in range(count)]


def _draw_labels(rows: Sequence[PictureRow], panel: Panel) -> list[Markup]:
    parts = []
    for number, row in enumerate(rows):
        middle, right = panel.y(number), panel.left - 14
        parts.append(draw_text(right, middle - 1, row.label, css="label end"))
        parts.append(draw_text(right, middle + 13, row.hint, css="hint end"))
    return parts


def _draw_frame(panel: Panel, title: str) -> list[Markup]:
    parts = [draw_text(panel.left, panel.top - 12, title[:1].upper() + title[1:], css="heading")]
    for number in range(panel.rows):
        parts.append(draw_line((panel.left, panel.y(number)), (panel.left + panel.width, panel.y(number)), css="track"))
    for value in (0.0, 0.5, 1.0):
        x = panel.x(value)
        parts.append(draw_line((x, panel.top), (x, panel.bottom), css="grid"))
        parts.append(draw_text(x, panel.bottom + 16, f"{value:g}", css="tick middle"))
    return parts


def _draw_dot(row: PictureRow, panel: Panel, place: int, when: tuple[str, int]) -> Markup:
    """The figure of a row at one moment, which is given by its name and its number."""
    moment, index = when
    figure, y, right = row.figures[index], panel.y(place), panel.left + panel.width + 12
    if figure is None:
        return draw_text(right, y + 4, "not asked", css="hint")
    parts = [_draw_whisker(figure, panel, y), draw_mark(moment, panel.x(figure.value), y)]
    parts.append(draw_text(right, y + 4, format_share(figure), css="value"))
    css = f"m-{moment} {row.tone}" if index or row.tone == "low" else f"m-{moment}"
    return Markup('<g class="{}">{}</g>').format(css.strip(), Markup("").join(parts))


def _draw_whisker(figure: Figure, panel: Panel, y: float) -> Markup:
    if figure.low >= figure.high:
        return Markup("")
    return draw_whisker(panel.x(figure.low), panel.x(figure.high), y)


def draw_mark(moment: str, x: float, y: float) -> Markup:
    """The mark of a moment: an open circle, a diamond, or a full circle."""
    if moment == "memorize":
        path = f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"
        return Markup('<path class="mark" d="{}"/>').format(path)
    css = "mark open" if moment == "before" else "mark"
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(css, x, y)


CHART_WIDTH, CHART_HEIGHT = 450.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 16.0, 12.0, 38.0


def draw_curve(curve: Curve, phase: str) -> Markup:
    """A line chart over the steps of a phase, with epochs on its axis where they are known."""
    top = curve.top or _round_up(max(y for _, y in curve.points))
    places = [(_chart_x(x, curve.end), _chart_y(y, top)) for x, y in curve.points]
    parts = [*_draw_chart_frame(curve, top), _draw_polyline(places)]
    if len(places) <= 40:
        parts += [draw_mark(phase, x, y) for x, y in places]
    group = Markup('<g class="m-{}">{}</g>').format(phase, Markup("").join(parts))
    return wrap_svg([group], CHART_WIDTH, CHART_HEIGHT, css="curve", title=curve.title)


def _draw_chart_frame(curve: Curve, top: float) -> list[Markup]:
    end, base = CHART_WIDTH - RIGHT, CHART_HEIGHT - BOTTOM
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _chart_y(share * top, top)
        parts.append(draw_line((LEFT, y), (end, y), css="grid"))
        parts.append(draw_text(LEFT - 8, y + 4, f"{share * top:.3g}", css="tick end"))
    for step, label in curve.ticks:
        x = _chart_x(step, curve.end)
        parts.append(draw_line((x, base), (x, base + 4), css="axis"))
        parts.append(draw_text(x, base + 17, label, css="tick middle"))
    parts.append(draw_text((LEFT + end) / 2, CHART_HEIGHT - 4, curve.axis, css="tick middle"))
    return parts


def _draw_polyline(places: Iterable[tuple[float, float]]) -> Markup:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Markup('<polyline class="line" points="{}"/>').format(points)


def _chart_x(step: float, end: float) -> float:
    return LEFT + step / end * (CHART_WIDTH - LEFT - RIGHT)


def _chart_y(value: float, top: float) -> float:
    return CHART_HEIGHT - BOTTOM - min(max(value / top, 0.0), 1.0) * (CHART_HEIGHT - TOP - BOTTOM)


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten; 1 where nothing is above zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8) if step * power >= value), 10 * power)


def draw_line(start: tuple[float, float], end: tuple[float, float], *, css: str) -> Markup:
    """A straight line from (x, y) to (x, y)."""
    form = Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    return form.format(css, *start, *end)


def draw_text(x: float, y: float, text: str, *, css: str) -> Markup:
    """Text whose baseline begins at (x, y), or ends there, or has its middle there, as its class says."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(css, x, y, text)


def draw_whisker(low: float, high: float, y: float) -> Markup:
    """An interval from x = `low` to x = `high`, with a tick at both ends."""
    ends = [draw_line((x, y - 5), (x, y + 5), css="whisker") for x in (low, high)]
    return Markup("").join([draw_line((low, y), (high, y), css="whisker"), *ends])


def wrap_svg(parts: Iterable[Markup], width: float, height: float, *, css: str, title: str) -> Markup:
    """The whole picture; `title` is what a screen reader says of it."""
    form = Markup('<svg class="{}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>')
    return form.format(css, width, height, title, Markup("").join(parts))
