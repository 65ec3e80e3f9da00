"""A disk that is full or may not be written to; with room again the same command ends with the same bits."""

import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

from tests.torture.bench import RUN, WORKS, Bench, differ, read_left
from tests.torture.processes import call
from tests.torture.verdicts import FINDINGS, Case, Verdict, judge

PART = "disk full"
_LARGEST = 130_000
"""Bytes of the largest file of a run, the moments of the optimizer."""
_ALL = 1_100_000
"""Bytes that a run takes, and a little more."""


def list_cases(bench: Bench, count: int, chance: random.Random) -> Iterator[Case]:
    """Files that may not grow beyond a size; where one can be mounted, file systems with so much room."""
    can_mount = _can_mount(bench.root)
    if not can_mount:
        print("disk full: no file system can be mounted here, so that only the size of files is limited", flush=True)
    for number in range(count):
        stopped = chance.choice(["at the begin", *bench.stopped])
        room, size = round(_ALL * chance.random()), round(_LARGEST ** chance.random())
        if can_mount and number % 3 == 0:
            yield Case(PART, f"{stopped}: {room:,} bytes of room", partial(_fill, bench, stopped, room))
        elif can_mount and number % 6 == 1:
            yield Case(PART, f"{stopped}: nothing may be written", partial(_fill, bench, stopped, None))
        else:
            yield Case(PART, f"{stopped}: no file of more than {size:,} bytes", partial(_limit, bench, stopped, size))


def _limit(bench: Bench, stopped: str, size: int) -> Verdict:
    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    with bench.place(bench.stopped.get(stopped)) as place:
        return _try_twice(bench, place, prepare, lambda: None)


def _fill(bench: Bench, stopped: str, room: int | None) -> Verdict:
    """With so many bytes of room, or none of them writable."""
    with bench.place(bench.stopped.get(stopped)) as place:
        inputs = sum(_round_up(path) for path in place.rglob("*"))
        with _mount(place, inputs + (room or 0)):
            if room is None:
                _remount(place, "ro")
            return _try_twice(bench, place, lambda: None, lambda: _remount(place, f"rw,size={inputs + 4 * _ALL}"))


def _try_twice(bench: Bench, place: Path, prepare: Callable[[], None], mend: Callable[[], None]) -> Verdict:
    difference = partial(_differ, bench, place)
    first = judge(call(RUN, place, prepare), difference, may_refuse=True)
    mend()
    second = judge(call(RUN, place), difference, may_refuse=False)
    return first if first.kind in FINDINGS else second if second.kind in FINDINGS else first


def _differ(bench: Bench, place: Path) -> str:
    return differ(read_left(place), bench.undisturbed(WORKS["run"]).left)


def _round_up(path: Path) -> int:
    return 4096 * (1 + path.stat().st_size // 4096)


@contextmanager
def _mount(place: Path, size: int) -> Iterator[None]:
    """A file system of so many bytes in the place of a folder, with what is in it."""
    aside = place.with_name("aside")
    place.rename(aside)
    place.mkdir()
    _call_mount("-t", "tmpfs", "-o", f"size={size}", "none", place)
    try:
        shutil.copytree(aside, place, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _remount(place: Path, options: str) -> None:
    _call_mount("-o", f"remount,{options}", place)


def _call_mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


@lru_cache
def _can_mount(root: Path) -> bool:
    place = root / "mounted"
    place.mkdir()
    try:
        with _mount(place, 4096):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
