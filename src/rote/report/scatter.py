"""A scatter plot as inline SVG: states of facts on the plane of their first two principal components.

Groups (relations) have a shape and a letter, kinds (where the state was read) a filling, so nothing hangs on colour.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from string import ascii_uppercase

from markupsafe import Markup

from rote.report.display import clean_text, shorten_text
from rote.report.drawing import draw_text, wrap_svg

WIDTH, PLOT_HEIGHT = 450.0, 300.0
EDGE = 28.0
LEGEND_ROW = 20.0
KINDS_AT = 250.0
LONGEST_NAME = 26

SHAPES = (
    (-4.5, 0.0, "a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z"),  # circle
    (-4.0, -4.0, "h8v8h-8z"),  # square
    (0.0, -5.7, "l5.7 5.7l-5.7 5.7l-5.7 -5.7z"),  # diamond
    (0.0, -5.2, "l5.2 9h-10.4z"),  # triangle
    (-1.9, -5.2, "h3.8v3.3h3.3v3.8h-3.3v3.3h-3.8v-3.3h-3.3v-3.8h3.3z"),  # cross
    (0.0, 5.2, "l5.2 -9h-10.4z"),  # triangle on its tip
)
"""Where a mark begins beside its place, and how its outline goes on. With more groups they come again: see letters."""

FILLINGS = (
    ("mark", ""),
    ("mark open", ""),
    ("mark open", "m-0.8 -0.8h1.6v1.6h-1.6z"),  # a dot in the middle
    ("mark open", "m-5.6 0h11.2"),  # a bar across
)
"""The class of a kind's marks and what is drawn over their middle."""


@dataclass(frozen=True)
class ScatterPoint:
    """One state: the group it belongs to, the kind of prompt it was read at, and its place."""

    group: str
    kind: str
    x: float
    y: float


@dataclass(frozen=True)
class _Frame:
    """From places to the plot: one scale for both axes, since distances in any direction mean the same."""

    x: float
    y: float
    scale: float

    def place(self, point: ScatterPoint) -> tuple[float, float]:
        return WIDTH / 2 + (point.x - self.x) * self.scale, PLOT_HEIGHT / 2 - (point.y - self.y) * self.scale


def draw_scatter(
    points: Sequence[ScatterPoint], title: str, *, moment: str = "generalize", kinds: Sequence[str] = ()
) -> Markup:
    """The plot with its legend; the letter of a group stands in the midst of its points of each kind.

    `moment` gives the colour, as in the other figures. Points that are not finite are left out; groups and kinds keep
    the order they come in, after those of `kinds`: plots beside one another are given the same ones, so that a kind
    that is missing in one of them does not change the fillings of the others. Raises `ValueError` for more kinds than
    there are fillings (four).
    """
    points = [point for point in points if math.isfinite(point.x) and math.isfinite(point.y)]
    groups, kinds = _list_names(p.group for p in points), _list_names([*kinds, *(p.kind for p in points)])
    if len(kinds) > len(FILLINGS):
        raise ValueError(f"a scatter plot can tell {len(FILLINGS)} kinds apart, not {len(kinds)}")
    frame, marks, letters = _fit(points), [], []
    for kind_number, kind in enumerate(kinds):
        for number, group in enumerate(groups):
            places = [frame.place(point) for point in points if (point.group, point.kind) == (group, kind)]
            if places:
                marks.append(_draw_marks(places, number, kind_number, title=f"{group}, {kind}"))
                letters.append(_draw_letter(places, number))
    height = PLOT_HEIGHT + (max(len(groups), len(kinds)) + 0.5) * LEGEND_ROW
    parts = [_draw_border(), *marks, *letters, *_draw_legend(groups, kinds)]
    group = Markup('<g class="m-{}">{}</g>').format(moment, Markup("").join(parts))
    return wrap_svg([group], WIDTH, height, css="curve scatter", title=clean_text(title))


def _list_names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _fit(points: Sequence[ScatterPoint]) -> _Frame:
    """The frame that shows all points, as large as they can be."""
    if not points:
        return _Frame(0.0, 0.0, 1.0)
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*((p.x, p.y) for p in points), strict=True))
    rooms = ((right - left, WIDTH - 2 * EDGE), (high - low, PLOT_HEIGHT - 2 * EDGE))
    scale = min((room / span for span, room in rooms if span > 0), default=1.0)
    return _Frame((left + right) / 2, (low + high) / 2, scale)


def _draw_border() -> Markup:
    corners = f"M1 1H{WIDTH - 1:g}V{PLOT_HEIGHT - 1:g}H1z"
    notes = draw_text(10, PLOT_HEIGHT - 8, "first component →", css="tick")
    notes += draw_text(10, 16, "↑ second component", css="tick")
    return Markup('<path class="grid" fill="none" d="{}"/>{}').format(corners, notes)


def _draw_marks(places: Iterable[tuple[float, float]], group: int, kind: int, *, title: str) -> Markup:
    """All marks of one group and kind as one path: a table has thousands."""
    right, down, outline = SHAPES[group % len(SHAPES)]
    css, middle = FILLINGS[kind]
    path = "".join(
        f"M{x + right:.1f} {y + down:.1f}{outline}" + (f"M{x:.1f} {y:.1f}{middle}" if middle else "") for x, y in places
    )
    return Markup('<path class="{}" d="{}"><title>{}</title></path>').format(css, path, clean_text(title))


def _draw_letter(places: Sequence[tuple[float, float]], group: int) -> Markup:
    """The letter on the mark nearest to the mean: the mean itself may lie between two clusters, where nothing is."""
    mean = fmean(x for x, _ in places), fmean(y for _, y in places)
    x, y = min(places, key=lambda place: math.dist(place, mean))
    disc = Markup('<circle class="mark open" cx="{:.1f}" cy="{:.1f}" r="9"/>').format(x, y)
    return disc + draw_text(x, y + 4.5, _name_letter(group), css="value middle")


def _draw_legend(groups: Sequence[str], kinds: Sequence[str]) -> list[Markup]:
    parts = []
    for number, group in enumerate(groups):
        y = PLOT_HEIGHT + (number + 1) * LEGEND_ROW
        parts.append(_draw_marks([(EDGE, y)], number, 0, title=group))
        parts.append(draw_text(EDGE + 20, y + 4.5, _name_letter(number), css="value middle"))
        parts.append(draw_text(EDGE + 36, y + 4.5, shorten_text(group, LONGEST_NAME), css="label"))
    for number, kind in enumerate(kinds):
        y = PLOT_HEIGHT + (number + 1) * LEGEND_ROW
        parts.append(_draw_marks([(KINDS_AT, y)], 0, number, title=kind))
        parts.append(draw_text(KINDS_AT + 16, y + 4.5, shorten_text(kind, LONGEST_NAME), css="label"))
    return parts


def _name_letter(number: int) -> str:
    """A, B ... Z, A1, B1 ..."""
    letter = ascii_uppercase[number % 26]
    return f"{letter}{number // 26}" if number >= 26 else letter
