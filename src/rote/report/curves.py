"""What was logged during training, made ready for a line chart."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rote.figures import read_number
from rote.report.display import format_count

MOST_POINTS = 160
MOST_TICKS = 8

Entries = Sequence[Mapping[str, Any]]
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One line: its points by step, and the places on the step axis that carry a label."""

    title: str
    note: str
    points: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]
    axis: str
    end: float
    top: float | None = None
    """The upper end of the value axis; None lets the figure choose."""


def build_curves(phase: str, entries: Entries) -> list[Curve]:
    """The loss and, where it was measured, the recall by key token of one phase."""
    end = max((read_number(entry.get("step")) or 0.0 for entry in entries), default=0.0)
    if end <= 0:
        return []
    axis, ticks = _build_ticks(entries, end)
    loss, per_point = _average(_read_points(entries, "loss"))
    note = f"Each point is the mean of {per_point} updates." if per_point > 1 else "One point for each logged update."
    curves = [Curve(f"Loss in {phase}", note, loss, ticks, axis, end)]
    recall = _read_points(entries, "key_recall")
    note = f"Measured {format_count(len(recall))} times."
    curves.append(Curve(f"Recall by key token in {phase}", note, tuple(recall), ticks, axis, end, top=1.0))
    return [curve for curve in curves if curve.points]


def _read_points(entries: Entries, name: str) -> list[Point]:
    pairs = [(read_number(entry.get("step")), read_number(entry.get(name))) for entry in entries]
    return sorted((step, value) for step, value in pairs if step is not None and value is not None)


def _average(points: list[Point]) -> tuple[tuple[Point, ...], int]:
    """Points averaged in equal groups so that at most `MOST_POINTS` are left, and the size of a group."""
    size = max(1, math.ceil(len(points) / MOST_POINTS))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    means = tuple((sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups)
    return means, size


def _build_ticks(entries: Entries, end: float) -> tuple[str, tuple[tuple[float, str], ...]]:
    """Ticks at the ends of epochs where epochs were logged, else at even steps."""
    ends = _find_epoch_ends(entries)
    if not ends:
        return "step", ((0.0, "0"), (end / 2, format_count(round(end / 2))), (end, format_count(round(end))))
    last = max(ends)
    every = next(size for size in (1, 2, 5, 10, 20, 50, 100, last) if last / size <= MOST_TICKS or size == last)
    chosen = [epoch for epoch in sorted(ends) if epoch == last or (epoch % every == 0 and last - epoch > every / 2)]
    return "epoch", ((0.0, "0"), *((ends[epoch], str(epoch)) for epoch in chosen if ends[epoch] > 0))


def _find_epoch_ends(entries: Entries) -> dict[int, float]:
    """The last step of each epoch, counted from 1. Epochs may be logged from 0, from 1, or as fractions."""
    pairs = [(read_number(entry.get("step")), read_number(entry.get("epoch"))) for entry in entries]
    known = [(step, epoch) for step, epoch in pairs if step is not None and epoch is not None]
    counts_from_zero = any(epoch == 0 and step > 0 for step, epoch in known)
    whole = all(epoch == int(epoch) for _, epoch in known)
    shift = 1 if counts_from_zero and whole else 0
    ends: dict[int, float] = {}
    for step, epoch in known:
        number = math.ceil(epoch) + shift
        ends[number] = max(step, ends.get(number, 0.0))
    return ends
