"""How a pipeline tells what it is doing, without knowing whether anybody watches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and a short note (a loss)."""


class Stopped(BaseException):
    """Whoever watches wants the work to end and what was done to be saved. It is no `Exception`, as Ctrl-C is none."""


class Reporter(Protocol):
    """Shows one step at a time. It may raise `Stopped` whenever it is told something."""

    def step(self, label: str) -> AbstractContextManager[Advance]:
        """A context that lasts as long as the step and yields an `Advance`."""


class SilentReporter:
    """Shows nothing; for use as a library."""

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """Yield a callback that does nothing."""
        yield lambda done, total, note: None
