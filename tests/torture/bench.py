"""What is tortured: commands on a tiny random model and a table of three facts, each with what it comes to when nothing
disturbs it."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from tests.cli.conftest import SMALL, TABLE, build_model_folder
from tests.torture.processes import Ended, call, run_here
from tests.torture.writes import Watch

from rote.models import verification
from rote.models.loading import LoadOptions, load_model
from rote.models.verification import Fingerprint, take_fingerprint

SMALL_SETTINGS = (*SMALL, "--set", "checkpoint_seconds=1e-9")
"""A checkpoint after every update."""
RUN = ("run", "facts.csv", "--model", "tiny", "--out", "mine", "--store", "store", "--resume", *SMALL_SETTINGS)
_JOB: dict[str, Any] = {
    "table": {"kind": "invented", "relations": ["mother"], "count": 2},
    "generalize": {"facts": 1, "epochs": 1},
    "examine": {"facts": 1, "languages": ["en"], "known_facts": 1, "unseen_facts": 0, "choices": 1},
    "checkpoint_seconds": 1e-9,
}
SWEEP = {"base": {**_JOB, "model": "tiny"}, "grid": {"memorize.epochs": [1, 2]}}
_CHANGES = {
    "table.kind": "invented",
    "table.relations": "[mother]",
    "table.count": 2,
    "generalize.facts": 1,
    "generalize.epochs": 1,
    "memorize.min_steps": 0,
    "generalize.min_steps": 0,
    "checkpoint_seconds": 1e-9,
}
REPRODUCE = (
    *("reproduce", "representations", "--model", "tiny", "--seeds", "1", "--store", "store"),
    *(word for key, value in _CHANGES.items() for word in ("--set", f"{key}={value}")),
)
_DIFFERING = ("date", "durations", "seconds", "estimated", "manifest.json")
"""What differs from run to run in a JSON file: times, and the sum of a file with times in it."""


@dataclass(frozen=True)
class Work:
    """A command, and whether it goes on in what a finished run left."""

    name: str
    words: tuple[str, ...]
    after_run: bool = False


WORKS = {
    work.name: work
    for work in (
        Work("run", RUN),
        Work("sweep", ("sweep", "sweep.yaml", "--store", "store", "--threads", "1")),
        Work("reproduce", REPRODUCE),
        Work("export task", ("export", "task", "mine", "--out", "out"), after_run=True),
        Work("export model", ("export", "model", "mine", "--out", "out"), after_run=True),
        Work("report", ("report", "mine"), after_run=True),
    )
}


@dataclass(frozen=True)
class Undisturbed:
    """What a command comes to: what it says, what it leaves, at which moments it writes, and how long it takes."""

    ended: Ended
    left: dict[str, bytes]
    moments: tuple[str, ...]
    seconds: float


class Bench:
    """The folder everything happens in. A place is a working folder for one case, and is gone after it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        torch.set_num_threads(1)
        verification._ask_fresh_process = _answer_here
        self._fresh = root / "fresh"
        self._fresh.mkdir()
        build_model_folder(self._fresh / "tiny")
        (self._fresh / "facts.csv").write_text(TABLE, encoding="utf-8")
        (self._fresh / "sweep.yaml").write_text(yaml.safe_dump(SWEEP), encoding="utf-8")
        self._known: dict[str, Undisturbed] = {}
        with self.place() as place:
            _warm_up(place)

    @cached_property
    def finished(self) -> Path:
        """A place with a finished run; only to be copied."""
        place = shutil.copytree(self._fresh, self.root / "finished")
        ended = call(RUN, place)
        assert ended.code in (0, 3), ended.err
        return place

    @contextmanager
    def place(self, start: Path | None = None) -> Iterator[Path]:
        """A copy of a place, by default of one in which nothing has been done."""
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            yield shutil.copytree(start or self._fresh, Path(folder) / "place")

    def start_of(self, work: Work) -> Path:
        """The place a work begins in."""
        return self.finished if work.after_run else self._fresh

    def undisturbed(self, work: Work) -> Undisturbed:
        """What a work comes to when nothing disturbs it; done twice, as what differs then is no result."""
        if work.name not in self._known:
            first, second = (self._do(work) for _ in range(2))
            assert first.left == second.left, f"{work.name} is not the same twice: {differ(first.left, second.left)}"
            self._known[work.name] = second
        return self._known[work.name]

    def _do(self, work: Work) -> Undisturbed:
        with self.place(self.start_of(work)) as place, tempfile.NamedTemporaryFile(mode="w+") as notes:
            watch = Watch(place, told=lambda name: print(name, file=notes, flush=True))
            begin = time.monotonic()
            ended = call(work.words, place, watch.begin)
            seconds = time.monotonic() - begin
            assert ended.code in (0, 3), ended.err
            notes.seek(0)
            return Undisturbed(ended, read_left(place), tuple(notes.read().splitlines()), seconds)


def _answer_here(folder: Path, prompts: Sequence[str], options: LoadOptions) -> Fingerprint:
    """In the place of a fresh process, which takes five seconds."""
    return take_fingerprint(load_model(str(folder), options), prompts)


def _warm_up(place: Path) -> None:
    """Import all that a command needs, so that its forks need not."""
    before = Path.cwd()
    os.chdir(place)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for words in (RUN, *(work.words for work in WORKS.values() if work.after_run)):
            run_here(words)
    os.chdir(before)


def read_left(place: Path) -> dict[str, bytes]:
    """What a command left, by path, but for locks and what differs from run to run."""
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name not in ("lock", ".lock"))
    return {path.relative_to(place).as_posix(): _read(path) for path in files}


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name in ("manifest.json", "files.json") or path.parent.name == "jobs" and path.suffix == ".json":
        return json.dumps(_drop_times(json.loads(content))).encode()
    if path.suffix in (".html", ".sha256"):  # made from the files above, with the times in them
        return b""
    return content


def _drop_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _drop_times(value) for key, value in content.items() if key not in _DIFFERING}
    return [_drop_times(value) for value in content] if isinstance(content, list) else content


def differ(found: dict[str, bytes], expected: dict[str, bytes]) -> str:
    """In which files two results differ; nothing where they are the same."""
    names = sorted({*found, *expected})
    return ", ".join(name for name in names if found.get(name) != expected.get(name))
