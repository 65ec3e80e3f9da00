"""Showing progress: rich bars with the time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rote.runs.reporting import Advance, Reporter, SilentReporter

_SECONDS_BETWEEN_LINES = 10.0
_TOLD = 0.02
"""The share of a step after which the time left is told."""


def build_reporter(*, quiet: bool = False) -> Reporter:
    """The reporter that fits where standard error goes."""
    if quiet:
        return SilentReporter()
    return BarReporter() if sys.stderr.isatty() else LineReporter()


class BarReporter:
    """One rich progress bar per step."""

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """Show a bar with the time left until the step is done."""
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description:<30}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}"),
        )
        with progress.Progress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(label, total=None, note="")
            yield lambda done, total, note: bars.update(task, completed=done, total=total, note=note)
            bars.update(task, total=1, completed=1)


class LineReporter:
    """A line when a step begins, now and then while it lasts, and when it ends."""

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """Print plain lines to standard error."""
        begin = last = time.monotonic()
        print(f"{label} ...", file=sys.stderr, flush=True)

        def advance(done: int, total: int, note: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _SECONDS_BETWEEN_LINES:
                last = now
                left = _estimate(now - begin, done, total)
                print(f"{label}: {done}/{total}{left} {note}".rstrip(), file=sys.stderr, flush=True)

        yield advance
        print(f"{label}: done in {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)


def _estimate(seconds: float, done: int, total: int) -> str:
    """The time left, once enough is done to tell: the first of many takes the longest."""
    return f", {seconds / done * (total - done):.0f} s left" if done >= max(2, _TOLD * total) else ""
