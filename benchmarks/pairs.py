"""Contenders in alternation, the ratios of their times, and results that are merged."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""One line of the results, as JSON has it; `benchmark` and `model` say which run it is of."""

_DIGITS = 3


class UnequalWorkError(Exception):
    """Two contenders did not do the same work, so their times say nothing of each other."""


@dataclass(frozen=True)
class Spent:
    """Seconds of work: of the processor, over all threads, and of the clock on the wall."""

    cpu: float
    wall: float

    def since(self, start: "Spent") -> "Spent":
        """What passed between two readings of the clocks."""
        return Spent(self.cpu - start.cpu, self.wall - start.wall)

    def share(self, count: int) -> "Spent":
        """What one of `count` took."""
        return Spent(self.cpu / count, self.wall / count)


Contender = Callable[[], Spent]
"""Does a piece of work and says what it took; what it has to prepare need not count."""


def read_clocks() -> Spent:
    """Both clocks now; only differences mean something."""
    return Spent(time.process_time(), time.perf_counter())


def clock(work: Callable[[], object]) -> Contender:
    """A contender all of whose work counts."""

    def timed() -> Spent:
        start = read_clocks()
        work()
        return read_clocks().since(start)

    return timed


def alternate(contenders: Mapping[str, Contender], pairs: int) -> dict[str, list[Spent]]:
    """What each took in every round. The order is reversed in every other one; a first piece of each is thrown away."""
    names = list(contenders)
    for name in names:
        contenders[name]()
    spent: dict[str, list[Spent]] = {name: [] for name in names}
    for number in range(pairs):
        for name in reversed(names) if number % 2 else names:
            spent[name].append(contenders[name]())
    return spent


def compare(ours: Sequence[Spent], theirs: Sequence[Spent]) -> Row:
    """Our work per second over theirs: the median of the rounds, with the smallest and the largest; above 1 we are
    faster."""
    ratios = [their.cpu / our.cpu for our, their in zip(ours, theirs, strict=True)]
    walls = [their.wall / our.wall for our, their in zip(ours, theirs, strict=True)]
    return {
        "ratio": round(statistics.median(ratios), _DIGITS),
        "low": round(min(ratios), _DIGITS),
        "high": round(max(ratios), _DIGITS),
        "pairs": len(ratios),
        "wall_ratio": round(statistics.median(walls), _DIGITS),
    }


def race(benchmark: str, model: str, contenders: Mapping[str, Contender], pairs: int) -> list[Row]:
    """Time contenders, ours first; a row for each of the others."""
    (_, ours), *others = alternate(contenders, pairs).items()
    return [{"benchmark": benchmark, "model": model, "peer": peer, **compare(ours, spent)} for peer, spent in others]


def check_close(ours: Sequence[float], theirs: Sequence[float], *, what: str, tolerance: float = 1e-4) -> None:
    """Raise `UnequalWorkError` unless all numbers agree."""
    if len(ours) != len(theirs):
        raise UnequalWorkError(f"{what}: {len(ours)} numbers of ours, {len(theirs)} of theirs")
    for number, (our, their) in enumerate(zip(ours, theirs, strict=True), start=1):
        if not abs(our - their) <= tolerance:  # what is not a number agrees with nothing
            raise UnequalWorkError(f"{what}: not the same work, number {number} is {our:.6f} and {their:.6f}")


def merge(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The new rows, and the old ones of benchmarks and models that were not run again."""
    run = {_name(row) for row in new}
    return sorted([*(row for row in old if _name(row) not in run), *new], key=_name)


def _name(row: Row) -> tuple[str, str]:
    return row["benchmark"], row["model"]
