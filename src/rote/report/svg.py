"""The strokes that all figures are made of. Everything goes through `Markup.format`, which escapes text."""

from collections.abc import Iterable

from markupsafe import Markup


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
