"""One process that works for long: its memory stays flat, and no file is left open."""

import gc
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

from tests.torture.bench import EXAMINE, RUN, Bench
from tests.torture.processes import Process, run_here
from tests.torture.verdicts import SAME, TRACEBACK, UNCLEAR, Case, Verdict

PART = "soak"
_WARM_ROUNDS, _ROUNDS = 6, 6
_QUESTIONS, _WARM_QUESTIONS, _EVERY = 2_000, 200, 100
_ALLOWED = 0.05
"""The share by which memory may grow after the warm-up."""
_SECONDS = 1_200.0


def list_cases(bench: Bench, count: int, chance: random.Random) -> Iterator[Case]:
    """Both of them, so many times."""
    for _ in range(count):
        yield Case(
            PART,
            f"{_ROUNDS} rounds of run, examine, export, report",
            partial(_soak, bench, _list_rounds, 5 * _WARM_ROUNDS, 5),
        )
        yield Case(
            PART,
            f"{_QUESTIONS:,} questions to rote ask",
            partial(_soak, bench, _list_questions, _WARM_QUESTIONS, _EVERY),
        )


def _list_rounds() -> Iterator[tuple[str, ...]]:
    for number in range(_WARM_ROUNDS + _ROUNDS):  # each with work of its own
        run = f"mine{number}"
        yield *RUN, "--out", run, "--set", f"seed={number}"
        changed = {"mine/model": f"{run}/model", "found.parquet": f"found{number}.parquet"}
        yield tuple(changed.get(word, word) for word in EXAMINE)
        yield "export", "task", run, "--out", f"task{number}"
        yield "export", "model", run, "--out", f"model{number}"
        yield "report", run


def _list_questions() -> Iterator[tuple[str, ...]]:
    for number in range(_QUESTIONS):
        yield "ask", "mine/model", f"Who is mother {number} of Gene Finley?"


def _soak(bench: Bench, commands: Callable[[], Iterator[tuple[str, ...]]], warm: int, every: int) -> Verdict:
    with bench.place(bench.finished) as place:
        ended = Process(partial(_measure, commands, warm, every), place).end(_SECONDS)
    if ended.code:
        return Verdict(TRACEBACK, ended.err[-700:])
    memory, files = (list(map(int, line.split())) for line in ended.out.splitlines())
    growth = max(memory) / memory[0] - 1
    note = f"memory {memory[0]} MB, then at most {growth:+.1%} of it; open files {files[0]}, in the end {files[-1]}"
    return Verdict(SAME if growth < _ALLOWED and files[-1] <= files[0] else UNCLEAR, note)


def _measure(commands: Callable[[], Iterator[tuple[str, ...]]], warm: int, every: int) -> int:
    """Print the memory in MB and the number of open files, from the end of the warm-up on."""
    memory, files, out = [], [], sys.stdout
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for number, words in enumerate(commands(), start=1):
            code = run_here(words)
            assert code in (0, 3), f"{' '.join(words)}: exit code {code}"
            if number >= warm and number % every == 0:
                gc.collect()
                memory.append(_read_memory())
                files.append(len(os.listdir("/proc/self/fd")))
    print(*memory, file=out)
    print(*files, file=out)
    return 0


def _read_memory() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000
