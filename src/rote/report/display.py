"""The form of numbers and text on the page."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from rote import figures
from rote.figures import Figure

MISSING = "–"
LINE_BREAK = "⏎"
REPLACEMENT = "\ufffd"
FEW = 20
"""With fewer questions a share is written as a count: a quarter of four questions is one answer."""

_LINE_BREAKS = re.compile(r"\r\n|[\n\r\u2028\u2029]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean_text(text: str) -> str:
    """Text that any HTML file can hold: line breaks and characters that cannot be shown become visible marks."""
    return _UNPRINTABLE.sub(REPLACEMENT, _LINE_BREAKS.sub(f" {LINE_BREAK} ", text))


def shorten_text(text: str, limit: int) -> str:
    """Clean text of at most `limit` characters; what is cut off is marked by an ellipsis."""
    text = clean_text(text).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def format_number(value: float | None) -> str:
    """Two decimals; a dash where there is no number. Never `-0.00`."""
    return MISSING if value is None else f"{value:z.2f}"


def format_figure(figure: Figure | None, form: str = "z.2f") -> str:
    """A figure with its interval, `0.75 [0.10, 0.90]`; a dash where there is none."""
    return MISSING if figure is None else figures.format_figure(figure, form)


def format_share(figure: Figure | None) -> str:
    """A share as people write it: `88%`, or `3 of 4` where there were few questions; a dash where there is none."""
    if figure is None:
        return MISSING
    if 0 < figure.n < FEW:
        return f"{round(figure.value * figure.n)} of {figure.n}"
    return format_percent(figure.value)


def format_percent(share: float) -> str:
    """`88%`; a decimal where whole numbers would say none or all of what is nearly so."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}" if 0 < share < 0.01 or 0.99 < share < 1 else f"{share:z.0%}"


def format_range(figure: Figure) -> str:
    """The interval of a share: `80% and 93%`, or `2 and 8 of 12` where there were few questions."""
    if 0 < figure.n < FEW:
        low, high = (round(end * figure.n) for end in (figure.low, figure.high))
        return f"{low} and {high} of {figure.n}"
    return f"{format_percent(figure.low)} and {format_percent(figure.high)}"


def format_share_figure(figure: Figure | None) -> str:
    """A share with its interval, `88% [80%, 93%]`; a count alone where there were few questions."""
    if figure is None or figure.low >= figure.high or 0 < figure.n < FEW:
        return format_share(figure)
    return f"{format_share(figure)} [{format_percent(figure.low)}, {format_percent(figure.high)}]"


def format_date(text: str) -> str:
    """`2 March 2026, 14:10 UTC`; text that is no date stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return clean_text(text)
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    zone = " UTC" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y}, {when:%H:%M}{zone}"


def format_name(text: str) -> str:
    """The name of a relation as people write it: `educated_at` is `educated at`."""
    return clean_text(text).replace("_", " ").strip()


def format_counts(values: Sequence[int]) -> str:
    """One count where all are the same, else all of them in order."""
    return " / ".join(format_count(value) for value in (values if len(set(values)) > 1 else values[:1]))


def format_count(value: int) -> str:
    """A whole number with a narrow space between thousands."""
    return f"{value:,}".replace(",", "\u202f")
