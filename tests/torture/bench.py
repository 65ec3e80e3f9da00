"""What is tortured: commands on a tiny random model and a table of three facts, each with what it comes to when nothing
disturbs it."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
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

_SETTINGS = (
    *SMALL,
    *("--set", "memorize.epochs=4"),
    *("--set", "generalize.epochs=3"),
    *("--set", "checkpoint_seconds=1e-9"),  # a checkpoint after every update
)
RUN = ("run", "facts.csv", "--model", "tiny", "--out", "mine", "--store", "store", "--resume", *_SETTINGS)
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
    "memorize.epochs": 1,
    "memorize.min_steps": 0,
    "generalize.min_steps": 0,
    "retain.texts": 2,
    "retain.tokens": 6,
    "examine.languages": "[en]",
    "examine.choices": 1,
    "representations": "true",
    "checkpoint_seconds": 1e-9,
}
REPRODUCE = (
    *("reproduce", "targets", "--model", "tiny", "--seeds", "1", "--store", "store"),
    *(word for key, value in _CHANGES.items() for word in ("--set", f"{key}={value}")),
)
_STOPS = {
    "in memorize": ("before open store/stages/*/history.json.draft", 0),
    "in generalize": ("before open store/stages/*/history.json.draft", 1),
    "before the model": ("before open mine/model.draft/config.json", 0),
    "before the manifest": ("before open mine/manifest.json.draft", 0),
}
"""Moments by what is said of them, and which of several."""
EXAMINE = (
    *("examine", "mine/model", "facts.csv", "--out", "found.parquet"),
    *("--set", "examine.languages=[en]", "--set", "examine.choices=1"),
    *("--set", "examine.known_facts=1", "--set", "examine.unseen_facts=0"),
)
_LOCKS = ("lock", ".lock", ".holder")
"""What stands for no result; the name of a holder without a lock says nothing."""
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
        Work("export gguf", ("export", "gguf", "mine", "--quantize", "q8_0", "--out", "out"), after_run=True),
        Work("report", ("report", "mine"), after_run=True),
        Work("compare", ("compare", "mine", "mine/records/before.parquet"), after_run=True),
        Work("ask", ("ask", "mine/model", "Who is Gene Finley's mother?", "--top", "2"), after_run=True),
        Work("examine", EXAMINE, after_run=True),
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

    @cached_property
    def stopped(self) -> dict[str, Path]:
        """Places with a run that was killed at moments that leave different things behind, and one that was not."""
        return {"finished": self.finished, **{name: self._stop(name, *at) for name, at in _STOPS.items()}}

    def _stop(self, name: str, moment: str, turn: int) -> Path:
        numbers = [number for number, told in enumerate(self.undisturbed(WORKS["run"]).moments) if told == moment]
        place = shutil.copytree(self._fresh, self.root / name)
        assert call(RUN, place, Watch(place, numbers[turn]).begin).code == -signal.SIGKILL
        return place

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
            left = read_left(place, times=work.after_run)
            return Undisturbed(ended, left, tuple(notes.read().splitlines()), seconds)


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


def read_left(place: Path, *, times: bool = False) -> dict[str, bytes]:
    """What lies in a place, by path, but for locks; without `times` what differs from run to run is left out."""
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name not in _LOCKS)
    return {path.relative_to(place).as_posix(): path.read_bytes() if times else _read(path) for path in files}


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix in (".html", ".md", ".sha256"):  # made from other files, or for people, who may change them
        return b""
    if path.name in ("manifest.json", "files.json") or (path.parent.name == "jobs" and path.suffix == ".json"):
        with suppress(ValueError):  # a damaged one is what it is
            return json.dumps(_drop_times(json.loads(content))).encode()
    return content


def _drop_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _drop_times(value) for key, value in content.items() if key not in _DIFFERING}
    return [_drop_times(value) for value in content] if isinstance(content, list) else content


def differ(found: dict[str, bytes], expected: dict[str, bytes]) -> str:
    """In which files two results differ; nothing where they are the same."""
    names = sorted({*found, *expected})
    return ", ".join(name for name in names if found.get(name) != expected.get(name))
