"""Files and folders of a run that are damaged, swapped, emptied or gone, and the commands that read them."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.torture.bench import WORKS, Bench, Work, differ, read_left
from tests.torture.processes import call
from tests.torture.verdicts import Case, Verdict, judge

PART = "damaged"
_READERS = ("export task", "export model", "report", "compare", "ask", "examine")
"""Commands that read a finished run."""
_SHARE_OF_READERS = 0.4


def _flip(path: Path, chance: random.Random) -> None:
    """One bit, which leaves most files readable."""
    content = bytearray(path.read_bytes())
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def _cut(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(max(1, len(content)))])


def _empty(path: Path, _: random.Random) -> None:
    path.write_bytes(b"")


def _remove(path: Path, _: random.Random) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _swap(path: Path, chance: random.Random) -> None:
    """It and another of its kind, each in the place of the other; something else where there is none of its kind."""
    place = next(folder for folder in path.parents if (folder / "facts.csv").is_file())
    others = [other for other in list_targets(place) if other.suffix == path.suffix and _is_apart(other, path)]
    if not others:
        _remove(path, chance)
        path.write_bytes(b"{}")
        return
    other = chance.choice(others)
    aside = place / "aside"
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


def _is_apart(one: Path, two: Path) -> bool:
    return one.is_dir() == two.is_dir() and one != two and one not in two.parents and two not in one.parents


_FILES: dict[str, Callable[[Path, random.Random], None]] = {
    "one bit": _flip,
    "cut": _cut,
    "emptied": _empty,
    "gone": _remove,
    "swapped": _swap,
}
_FOLDERS = {"gone": _remove, "swapped": _swap}


def list_targets(place: Path) -> list[Path]:
    """All files and folders that a run made."""
    return sorted(path for folder in ("mine", "store") for path in (place / folder).rglob("*"))


def list_cases(bench: Bench, count: int, chance: random.Random) -> Iterator[Case]:
    """So many cases, each file of each place before a second turn of any."""
    pairs = [(WORKS["run"], name) for name in bench.stopped]
    resumed = _shuffle(bench, pairs, chance)
    read = _shuffle(bench, [(WORKS[name], "finished") for name in _READERS], chance)
    for number in range(count):
        work, stopped, target = next(read if number < _SHARE_OF_READERS * count else resumed)
        kinds = _FOLDERS if (bench.stopped[stopped] / target).is_dir() else _FILES
        kind, seed = chance.choice(sorted(kinds)), chance.randrange(2**32)
        name = f"{work.name}, {stopped}: {target} {kind} (seed {seed})"
        yield Case(PART, name, partial(_damage, bench, work, stopped, target, kind, seed))


def _shuffle(bench: Bench, pairs: list[tuple[Work, str]], chance: random.Random) -> Iterator[tuple[Work, str, str]]:
    """Without end, in another order each time."""
    found = [
        (work, stopped, os.path.relpath(path, bench.stopped[stopped]))
        for work, stopped in pairs
        for path in list_targets(bench.stopped[stopped])
        if stopped != "finished" or work.name == "run" or path.is_relative_to(bench.finished / "mine")
    ]
    while True:
        yield from chance.sample(found, len(found))


def _damage(bench: Bench, work: Work, stopped: str, target: str, kind: str, seed: int) -> Verdict:
    with bench.place(bench.stopped[stopped]) as place:
        {**_FILES, **_FOLDERS}[kind](place / target, random.Random(seed))
        damaged = read_left(place, times=work.after_run)
        ended = call(work.words, place)
        return judge(ended, lambda: _differ(bench, work, place, damaged, ended.out), may_refuse=True)


def _differ(bench: Bench, work: Work, place: Path, damaged: dict[str, bytes], said: str) -> str:
    """What a command left otherwise than undisturbed. What it never touched may be damaged still, but not in the folder
    of a run that it says it has finished."""
    expected = bench.undisturbed(work)
    if work.after_run and said != expected.ended.out:
        return "what it says"
    found = read_left(place, times=work.after_run)
    kept = {name for name in (*damaged, *expected.left) if damaged.get(name) == found.get(name)}
    if not work.after_run:
        kept = {name for name in kept if not (name.startswith("mine/") and name in expected.left)}
    both = ({name: content for name, content in left.items() if name not in kept} for left in (found, expected.left))
    return differ(*both)
