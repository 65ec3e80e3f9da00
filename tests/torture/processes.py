"""Real processes without their start: `rote` is imported once, and each command is a fork that can be killed.

A start costs five seconds of imports. What a command does after them is done by a process of its own, with its own
files, locks and signals; that a process starts at all is tested by a few that are started from nothing.
"""

import fcntl
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

LIMIT_SECONDS = 120.0
"""A command that takes longer hangs."""
HANGS = 124
"""The exit code of one that was given up."""
_ROOM = 1 << 20


@dataclass(frozen=True)
class Ended:
    """What is left of a process: its exit code, below zero the signal that ended it, and what it said."""

    code: int
    out: str
    err: str


class Process:
    """Work under way in a process of its own."""

    def __init__(self, do: Callable[[], int], place: Path) -> None:
        """Begin it in the folder `place`; what `do` returns is the exit code."""
        pipes = [_open_pipe() for _ in range(2)]
        sys.stdout.flush()
        sys.stderr.flush()
        self.number = os.fork()
        if self.number == 0:
            _become(do, place, [writer for _, writer in pipes])
        for _, writer in pipes:
            os.close(writer)
        self._readers = [reader for reader, _ in pipes]
        self._code: int | None = None

    def kill(self) -> None:
        """SIGKILL: nothing can be tidied up."""
        if not self.has_ended():
            os.kill(self.number, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether it is over; a killed one is no longer seen by the system either."""
        if self._code is None:
            number, status = os.waitpid(self.number, os.WNOHANG)
            if number:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is not None

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether it has ended by then."""
        until = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
        return True

    def end(self, seconds: float = LIMIT_SECONDS) -> Ended:
        """What it came to; after so many seconds it is given up."""
        if not self.wait(seconds):
            self.kill()
            self.wait(seconds)
            self._code = HANGS
        assert self._code is not None
        return Ended(self._code, *(_read_pipe(reader) for reader in self._readers))


def begin_anew(words: Sequence[str], place: Path) -> Process:
    """Begin `rote WORDS` as a shell would: nothing is imported yet, and nothing is put in the place of anything."""
    return Process(lambda: os.execv(sys.executable, [sys.executable, "-m", "rote", *words]), place)


def _open_pipe() -> tuple[int, int]:
    """With room for all that a command says; a file would be held to the limits that a case sets for files."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _ROOM)
    os.set_blocking(reader, False)
    return reader, writer


def _read_pipe(reader: int) -> str:
    with open(reader, "rb") as file:
        return (file.read(_ROOM) or b"").decode("utf-8", errors="replace")


def begin(words: Sequence[str], place: Path, prepare: Callable[[], None] = lambda: None) -> Process:
    """Begin `rote WORDS` in the folder `place`, in a process that calls `prepare` first."""

    def do() -> int:
        prepare()
        return run_here(words)

    return Process(do, place)


def call(words: Sequence[str], place: Path, prepare: Callable[[], None] = lambda: None) -> Ended:
    """Do a command to its end."""
    return begin(words, place, prepare).end()


def _become(do: Callable[[], int], place: Path, outputs: Sequence[int]) -> NoReturn:
    code = 1
    try:
        for target, source in enumerate(outputs, start=1):
            os.dup2(source, target)
        os.chdir(place)
        code = do()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_here(words: Sequence[str]) -> int:
    """Run the command line in this process; returns its exit code. What is no mistake of a person comes through."""
    from rote.cli.main import main

    sys.argv = ["rote", *words]
    try:
        main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0
