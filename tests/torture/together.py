"""Two commands at once in one folder or one store: one works, the other is told, and the result is the same."""

import random
from collections.abc import Iterator
from functools import partial

from tests.torture.bench import WORKS, Bench, Work, differ, read_left
from tests.torture.processes import Process, begin
from tests.torture.verdicts import FINDINGS, SAME, Case, Verdict, judge

PART = "two at once"


def list_cases(bench: Bench, count: int, chance: random.Random) -> Iterator[Case]:
    """The second begins after a share of the time that one takes."""
    for number in range(count):
        work = WORKS[("run", "run", "sweep", "reproduce")[number % 4]]
        share, killed = chance.random(), number % 3 == 2
        name = f"{work.name}: the second at {share:.3f} of the time" + (", the first killed" if killed else "")
        yield Case(PART, name, partial(_do, bench, work, share, killed=killed))


def _do(bench: Bench, work: Work, share: float, *, killed: bool) -> Verdict:
    expected = bench.undisturbed(work)
    with bench.place() as place:
        first = begin(work.words, place)
        first.wait(share * expected.seconds)
        second = begin(work.words, place)
        if killed:
            first.wait(0.1 * expected.seconds)
            first.kill()
        verdicts = [_judge(process, work, may_be_killed=killed and process is first) for process in (first, second)]
        last = begin(work.words, place).end()
        verdicts.append(judge(last, lambda: differ(read_left(place), expected.left), may_refuse=False))
    return next((verdict for verdict in verdicts if verdict.kind in FINDINGS), verdicts[-1])


def _judge(process: Process, work: Work, *, may_be_killed: bool) -> Verdict:
    """Of one of the two; what is left is judged when both are over."""
    ended = process.end()
    if may_be_killed and ended.code == -9:
        return Verdict(SAME, kills=1)
    return judge(ended, str, may_refuse=work.name == "run")
