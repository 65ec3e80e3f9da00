"""`python -m tests.torture`: disturb real processes in every way that is known, and count what comes of it."""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # threads do not survive a fork
os.environ["OMP_NUM_THREADS"] = "1"

from tests.torture import changes, damage, disk, kills, together
from tests.torture.bench import Bench
from tests.torture.verdicts import FINDINGS, SAID, SAME, Case, Verdict


def main() -> None:
    """Do what was asked for, print the table, and leave with 1 where anything was found."""
    arguments = _parse()
    begin = time.monotonic()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="torture-") as root:
        bench = Bench(Path(root))
        rooms = {"kills": kills, "damaged": damage, "changed": changes, "disk": disk, "together": together}
        cases = [c for n in arguments.parts for c in rooms[n].list_cases(bench, arguments.kills, random.Random(arguments.seed))]
        for case, verdict in do_cases(cases, arguments.processes):
            if verdict.kind in FINDINGS:
                print(case.part, case.name, verdict.kind, verdict.note, flush=True)
            else: print(case.name, verdict.kind, verdict.kills, time.monotonic()-begin, flush=True)


_CASES: Sequence[Case] = ()
"""Of this process and its forks: a case is a function, and is sent by its number."""


def do_cases(cases: Sequence[Case], processes: int) -> Iterator[tuple[Case, Verdict]]:
    global _CASES
    _CASES = cases
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        numbers = {pool.submit(_do, number): number for number in range(len(cases))}
        for future in as_completed(numbers):
            yield cases[numbers[future]], future.result()


def _do(number: int) -> Verdict:
    return _CASES[number].do()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
