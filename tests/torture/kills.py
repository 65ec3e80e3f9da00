"""SIGKILL at every write and at random moments; the same command again must end with the same bits."""

import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.torture.bench import WORKS, Bench, Work, differ, read_left
from tests.torture.processes import Ended, begin, begin_anew, call
from tests.torture.verdicts import SAME, Case, Verdict, judge
from tests.torture.writes import Watch

PART = "kills"
_SHARES = {
    **{"run": 0.53, "sweep": 0.2, "reproduce": 0.15, "report": 0.01},
    **{"export task": 0.03, "export model": 0.04, "export gguf": 0.04},
}
"""How many of the kills hit which command."""
_RANDOM = 0.25
"""The share of them that come at a random moment, not at a write."""
_MOST_IN_A_ROW = 3
_ANEW = 0.02
"""The share of processes that are started from nothing, in which no fork and nothing warmed up can hide anything."""
_ANEW_SECONDS = 15.0
"""What one takes."""


def list_cases(bench: Bench, count: int, chance: random.Random) -> Iterator[Case]:
    """Cases of `count` kills or a few more."""
    for share in (chance.random() for _ in range(round(_ANEW * count))):
        yield Case(PART, f"run, from nothing: at {share:.3f} of its time", partial(_kill_anew, bench, share))
    for name, share in _SHARES.items():
        work, wanted = WORKS[name], max(1, round(share * count))
        at_random = round(_RANDOM * wanted)
        for number in _pick_moments(bench.undisturbed(work).moments, wanted - at_random, chance):
            yield Case(PART, f"{name}: {_describe(bench, work, number)}", partial(_die_at, bench, work, number))
        while at_random > 0:
            shares = [chance.random() for _ in range(min(at_random, chance.randint(1, _MOST_IN_A_ROW)))]
            at_random -= len(shares)
            told = ", ".join(f"{share:.3f}" for share in shares)
            yield Case(PART, f"{name}: at {told} of its time", partial(_kill_after, bench, work, shares))


def _describe(bench: Bench, work: Work, number: int) -> str:
    return f"moment {number}, {bench.undisturbed(work).moments[number]}"


def _pick_moments(moments: Sequence[str], count: int, chance: random.Random) -> list[int]:
    """Moments of every kind before a second one of any."""
    kinds: dict[str, list[int]] = {}
    for number in chance.sample(range(len(moments)), len(moments)):
        kinds.setdefault(moments[number], []).append(number)
    rounds = max(map(len, kinds.values()))
    order = [found[turn] for turn in range(rounds) for found in kinds.values() if turn < len(found)]
    return order[:count]


def _die_at(bench: Bench, work: Work, number: int) -> Verdict:
    with bench.place(bench.start_of(work)) as place:
        ended = call(work.words, place, Watch(place, number).begin)
        return _go_on(bench, work, place, kills=int(ended.code == -9))


def _kill_after(bench: Bench, work: Work, shares: Sequence[float]) -> Verdict:
    """Killed again and again, each time after a share of the time that the whole takes."""
    kills = 0
    with bench.place(bench.start_of(work)) as place:
        for share in shares:
            process = begin(work.words, place)
            if not process.wait(share * bench.undisturbed(work).seconds):
                process.kill()
            kills += process.end().code == -9
        return _go_on(bench, work, place, kills=kills)


def _kill_anew(bench: Bench, share: float) -> Verdict:
    work = WORKS["run"]
    with bench.place() as place:
        process = begin_anew(work.words, place)
        if not process.wait(share * _ANEW_SECONDS):
            process.kill()
        kills = int(process.end().code == -9)
        return _judge(bench, work, place, begin_anew(work.words, place).end(), kills)


def _go_on(bench: Bench, work: Work, place: Path, *, kills: int) -> Verdict:
    return _judge(bench, work, place, call(work.words, place), kills)


def _judge(bench: Bench, work: Work, place: Path, ended: Ended, kills: int) -> Verdict:
    expected = bench.undisturbed(work)
    # A new folder is never written over: one that is there whole is named.
    is_there = ended.code == 2 and work.name.startswith("export") and "is there already; name another" in ended.err
    left = read_left(place, times=work.after_run)
    # The weights after the last stage are dropped when all is written; a kill just then leaves them, whole.
    spare = {name for name in left if Path(name).name.startswith("state.safetensors")} - expected.left.keys()
    difference = differ({name: content for name, content in left.items() if name not in spare}, expected.left)
    if is_there and not difference:
        return Verdict(SAME, kills=kills)
    verdict = judge(ended, lambda: difference, may_refuse=False)
    return Verdict(verdict.kind, verdict.note, kills)
