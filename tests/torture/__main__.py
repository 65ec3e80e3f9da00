"""`python -m tests.torture`: disturb real processes in every way that is known, and count what comes of it."""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # threads do not survive a fork
os.environ["HF_HUB_OFFLINE"] = "1"  # whatever a case takes for the name of a model, nobody is asked for it
os.environ["OMP_NUM_THREADS"] = "1"  # nor does the order of a sum survive another number of them

from tests.torture import changes, damage, disk, fuzz, kills, soak, together
from tests.torture.bench import Bench
from tests.torture.verdicts import FINDINGS, SAID, SAME, Case, Verdict

_PARTS = (kills, damage, changes, disk, together, fuzz, soak)
_WHOLE = {"kills": 240, "damaged": 140, "changed": 60, "disk full": 36, "two at once": 16, "fuzz": 5_200, "soak": 1}
_QUICK = {"kills": 8, "damaged": 6, "changed": 5, "disk full": 2, "two at once": 1, "fuzz": 200, "soak": 0}
_WANTED = {"kills": 200, "damaged": 100, "changed": 30, "fuzz": 5_000}
"""Of the whole, below which it says too little: processes killed, and cases."""
_MINUTES = 30


@dataclass
class Row:
    """What came of one part."""

    kinds: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    def add(self, verdict: Verdict) -> None:
        """Count a verdict, as often as it stands for cases; a finding once."""
        self.kinds[verdict.kind] += 1 if verdict.kind in FINDINGS else verdict.cases
        self.kills += verdict.kills

    @property
    def findings(self) -> int:
        """How many of them are none of the two that may come of a case."""
        return sum(self.kinds[kind] for kind in FINDINGS)


def main() -> None:
    """Do what was asked for, print the table, and leave with 1 where anything was found."""
    arguments = _parse()
    until = time.monotonic() + 60 * arguments.minutes
    counts = {
        **dict.fromkeys(_WHOLE, 0),
        **{name: (_QUICK if arguments.quick else _WHOLE)[name] for name in arguments.parts},
    }
    print(f"seed {arguments.seed}; to see one part again: --seed {arguments.seed} PART", flush=True)
    rows = {name: Row() for name in arguments.parts}
    with tempfile.TemporaryDirectory(prefix="torture-") as root:
        cases = _list_cases(Bench(Path(root)), counts, arguments.seed)
        left = len(cases)
        for case, verdict in _do_cases(cases, arguments.processes, until):
            left -= 1
            rows[case.part].add(verdict)
            if verdict.kind in FINDINGS or case.part == soak.PART:
                print(f"{verdict.kind}: {case.part}: {case.name}: {verdict.note}", flush=True)
    print(_format(rows))
    if left:
        print(f"{left} cases were left out, as the {arguments.minutes} minutes were over")
    short = [] if arguments.quick else list(_find_short(rows))
    if short:
        print(f"too few: {'; '.join(short)}")
    sys.exit(bool(short) or any(row.findings for row in rows.values()))


def _find_short(rows: dict[str, Row]) -> Iterator[str]:
    for name, row in rows.items():
        done = row.kills if name == kills.PART else row.kinds.total()
        if done < _WANTED.get(name, 0):
            yield f"{name}: {done} of {_WANTED[name]}"


def _list_cases(bench: Bench, counts: dict[str, int], seed: int) -> list[Case]:
    """All cases, mixed, so that those that are left out when the time is over are of every part."""
    found = [
        case
        for part in _PARTS
        if counts[part.PART]
        for case in part.list_cases(bench, counts[part.PART], random.Random(f"{seed} {part.PART}"))
    ]
    random.Random(seed).shuffle(found)
    return sorted(found, key=lambda case: case.part != soak.PART)  # what takes longest begins first


_CASES: list[Case] = []
"""Of this process and its forks: a case is a function, and is sent by its number."""


def _do_cases(cases: Sequence[Case], processes: int, until: float) -> Iterator[tuple[Case, Verdict]]:
    _CASES[:] = cases
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        numbers = {pool.submit(_do, number, until): number for number in range(len(cases))}
        for future in as_completed(numbers):
            verdict = future.result()
            if verdict:
                yield cases[numbers[future]], verdict


def _do(number: int, until: float) -> Verdict | None:
    return _CASES[number].do() if time.monotonic() < until else None


def _format(rows: dict[str, Row]) -> str:
    head = ("", "cases", "kills", SAME, SAID, *FINDINGS)
    lines = [(name, *_count(row)) for name, row in rows.items()]
    total = ("all", *(sum(column) for column in zip(*(_count(row) for row in rows.values()), strict=True)))
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (head, ["---"] * len(head), *lines, total))


def _count(row: Row) -> tuple[int, ...]:
    return row.kinds.total(), row.kills, *(row.kinds[kind] for kind in (SAME, SAID, *FINDINGS))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(_WHOLE)}; by default all")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6, help="by default another one each time")
    parser.add_argument("--quick", action="store_true", help="a few cases of each part")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="cases at once")
    parser.add_argument("--minutes", type=float, default=_MINUTES, help="no case is begun after so long")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(_WHOLE):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(_WHOLE)}")
    arguments.parts = arguments.parts or list(_WHOLE)
    return arguments


if __name__ == "__main__":
    main()
