"""The form of numbers and text on the page."""

import re
from collections.abc import Sequence

from rote import figures
from rote.figures import Figure

MISSING = "–"
LINE_BREAK = "⏎"
REPLACEMENT = "\ufffd"

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


def format_counts(values: Sequence[int]) -> str:
    """One count where all are the same, else all of them in order."""
    return " / ".join(format_count(value) for value in (values if len(set(values)) > 1 else values[:1]))


def format_count(value: int) -> str:
    """A whole number with a narrow space between thousands."""
    return f"{value:,}".replace(",", "\u202f")
