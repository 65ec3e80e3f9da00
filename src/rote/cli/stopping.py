"""Ctrl-C and SIGTERM: the step is finished and saved, and how to go on is said; a second one leaves at once."""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import typer

from rote.runs.reporting import Advance, Reporter, Stopped

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTICE = b"rote: stopping as soon as this is saved; once more to leave at once\n"


@dataclass
class _Wish:
    """Which signal came, where one has."""

    number: int | None = None

    def note(self, number: int, _: FrameType | None) -> None:
        """Called by the system, between any two operations."""
        if self.number is not None:
            sys.exit(_count_code(number))
        self.number = number
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _NOTICE)  # print may be at work just now


@dataclass(frozen=True)
class _StoppableReporter:
    """Passes on what is told, and stops the work where something can be saved, or nothing is begun."""

    reporter: Reporter
    wish: _Wish

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """A step of the other reporter."""
        self._check()
        with self.reporter.step(label) as advance:

            def pass_on(done: int, total: int, note: str) -> None:
                advance(done, total, note)
                if done < total:  # a step that is done is kept, and then no other is begun
                    self._check()

            yield pass_on

    def _check(self) -> None:
        if self.wish.number is not None:
            raise Stopped


@contextmanager
def stoppable(reporter: Reporter, again: Sequence[str]) -> Iterator[Reporter]:
    """A reporter for work that a signal is to end in good order; `again` is the command that goes on with it.

    Work that is shared by several processes is ended by `torchrun`, which started them.
    """
    from rote.training.parallel import count_processes

    if count_processes() > 1 or threading.current_thread() is not threading.main_thread():
        yield reporter
        return
    wish = _Wish()
    before = {number: signal.signal(number, wish.note) for number in _SIGNALS}
    try:
        yield _StoppableReporter(reporter, wish)
    except Stopped as stopped:
        typer.echo(f"rote: stopped and saved; go on with: {shlex.join(again)}", err=True)
        assert wish.number is not None
        raise SystemExit(_count_code(wish.number)) from stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _count_code(number: int) -> int:
    return 128 + number
