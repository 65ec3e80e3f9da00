"""`RunFolder`: the places of a run's files, and the proof that a folder belongs to the run that wants it.

identity.json     config, table hash and model hash: a folder serves one identity only
config.yaml       the configuration, to be run again with --config
table.jsonl       the facts
retained.json     the texts that kept the model as it was
records/          one Parquet file per moment
memorize/ ...     the history of each stage of training
model/            the taught model, for `transformers`
adapter/          its adapters alone, where there are some
summary.json      the figures
relations.json    the figures of each relation
knowledge.json    the figures by what the model knew before
side_effects.json what else changed
comparison.json   other methods beside this one, where they were asked for
retention.json    how earlier tables of the model are answered, where there were some
forgetting.json   what unlearning did, and forgotten.jsonl what was to be forgotten, of `rote forget`
served.json       the model in the forms it was exported in, where it was
manifest.json     everything needed to judge and repeat the run
files.json        the sum of each file above, by which a damaged one is found out; written last but for the report
report.html       for people
"""

import json
import os
import platform
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from rote.errors import RunError, first_line
from rote.runs.files import compute_sum, is_draft, keep_file, lock_file, replace_file

_WEIGHTS = ".safetensors"
_LOCK, _HOLDER = ".lock", ".holder"


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def identity(self) -> Path:
        """What run this folder belongs to."""
        return self.path / "identity.json"

    @property
    def config(self) -> Path:
        """The configuration, as YAML."""
        return self.path / "config.yaml"

    @property
    def table(self) -> Path:
        """The facts, as JSON Lines."""
        return self.path / "table.jsonl"

    @property
    def retained(self) -> Path:
        """The texts that kept the model as it was."""
        return self.path / "retained.json"

    @property
    def model(self) -> Path:
        """The taught model."""
        return self.path / "model"

    @property
    def adapter(self) -> Path:
        """The adapters of the taught model, without the base model."""
        return self.path / "adapter"

    @property
    def knowledge(self) -> Path:
        """The figures by what the model knew before."""
        return self.path / "knowledge.json"

    @property
    def side_effects(self) -> Path:
        """What else changed, ring by ring."""
        return self.path / "side_effects.json"

    @property
    def comparison(self) -> Path:
        """Other methods beside this one."""
        return self.path / "comparison.json"

    @property
    def retention(self) -> Path:
        """How each table that the model was taught is answered after each of them."""
        return self.path / "retention.json"

    @property
    def served(self) -> Path:
        """The figures of the GGUF files that were exported last."""
        return self.path / "served.json"

    @property
    def forgetting(self) -> Path:
        """What unlearning did; of `rote forget` alone."""
        return self.path / "forgetting.json"

    @property
    def forgotten(self) -> Path:
        """The facts that were to be forgotten, as JSON Lines; of `rote forget` alone."""
        return self.path / "forgotten.jsonl"

    @property
    def summary(self) -> Path:
        """The figures."""
        return self.path / "summary.json"

    @property
    def relations(self) -> Path:
        """The figures of each relation."""
        return self.path / "relations.json"

    @property
    def manifest(self) -> Path:
        """Everything needed to judge and repeat the run."""
        return self.path / "manifest.json"

    @property
    def sums(self) -> Path:
        """The sum of each file that was written before it."""
        return self.path / "files.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def records(self, moment: str) -> Path:
        """The records of one moment."""
        return self.path / "records" / f"{moment}.parquet"

    def history(self, phase: str) -> Path:
        """What was logged in one phase."""
        return self.path / phase / "history.json"

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end; the manifest is written last."""
        return self.manifest.is_file()


def open_run_folder(path: Path, identity: dict[str, Any], *, resume: bool) -> RunFolder:
    """Claim a folder for a run, or find the same run in it again. Raises `RunError` as `check_run_folder` does, or when
    the folder cannot be made.
    """
    check_run_folder(path, identity, resume=resume)
    folder = RunFolder(path)
    if not folder.identity.is_file():
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{path}: cannot be made ({error.strerror or error}); choose another --out") from error
        write_json(folder.identity, identity)
    return folder


def check_run_folder(path: Path, identity: dict[str, Any], *, resume: bool) -> None:
    """Raise `RunError` when a folder holds something else than a run, another run, the same run without `resume`, or a
    run that another process is at work on."""
    folder = RunFolder(path)
    if _is_free(path):
        return
    if not folder.identity.is_file():
        raise RunError(f"{path}: is not empty and not a run folder; choose another --out")
    found = read_json(folder.identity)
    if not isinstance(found, dict):
        raise RunError(f"{folder.identity}: is damaged; choose another --out to start afresh")
    difference = _first_difference(found, identity)
    if difference:
        raise RunError(f"{path}: holds another run ({difference}); choose another --out")
    _check_unheld(folder)  # what another process is doing now matters more than what it has done
    if not resume:
        raise RunError(f"{path}: holds this run already; add --resume to go on with it, or choose another --out")


@contextmanager
def hold(folder: RunFolder) -> Iterator[None]:
    """Keep a run's folder for this process. Raises `RunError` where another is at work in it, or it cannot be written
    to; one that died holds nothing."""
    holder = folder.path / _HOLDER
    with _lock(folder):
        try:
            with replace_file(holder) as draft:
                draft.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
            yield
        finally:
            holder.unlink(missing_ok=True)


@contextmanager
def _lock(folder: RunFolder) -> Iterator[None]:
    try:
        with lock_file(folder.path / _LOCK, wait=False):
            yield
    except Timeout as error:
        holder = folder.path / _HOLDER
        other = holder.read_text(encoding="utf-8", errors="replace") if holder.is_file() else "another process"
        raise RunError(f"{folder.path}: {other} is at work here; wait for it, or choose another --out") from error


def _check_unheld(folder: RunFolder) -> None:
    if os.access(folder.path / _LOCK, os.W_OK):  # where nothing can be written, nobody is at work
        with _lock(folder):
            pass


def write_sums(folder: RunFolder) -> None:
    """Write down what the files of a finished run are."""
    write_json(folder.sums, {name: compute_sum(folder.path / name, name) for name in _list_files(folder)})


def find_damage(folder: RunFolder, *, weights: bool = True) -> str | None:
    """The first file of a finished run that is not there as it was written; of `weights` only on demand, as they are
    large. A run of a version that wrote no sums is taken as it is."""
    if not folder.sums.is_file():
        return None
    for name, expected in _read_sums(folder).items():
        path = folder.path / name
        if path.suffix == _WEIGHTS and not weights:
            continue
        if not path.is_file() or compute_sum(path, name) != expected:
            return str(path)
    return None


def find_damaged_model(path: Path, *, may_lack: Collection[str]) -> Path | None:
    """Of the model of a finished run the first file that is not as it was written; None of any other folder. Files of
    the names `may_lack` may be gone."""
    folder = RunFolder(path.parent)
    if path not in (folder.model, folder.adapter) or not (folder.is_finished and folder.sums.is_file()):
        return None
    for name, expected in _read_sums(folder).items():
        file = folder.path / name
        if (path not in file.parents and file != folder.sums) or (file.name in may_lack and not file.exists()):
            continue
        if not file.is_file() or compute_sum(file, name) != expected:
            return file
    return None


def forget_end(folder: RunFolder) -> None:
    """Make a run look unfinished, as what it wrote is about to be written again."""
    folder.manifest.unlink(missing_ok=True)
    folder.sums.unlink(missing_ok=True)


def _read_sums(folder: RunFolder) -> dict[str, str]:
    """The sums; of a damaged file one that nothing has, so that it is found out itself."""
    try:
        content = read_json(folder.sums)
    except RunError:
        content = None
    return content if isinstance(content, dict) and content else {folder.sums.name: ""}


def _list_files(folder: RunFolder) -> list[str]:
    """What a run wrote, but for pages, which people may change, and for what is written later; nothing of others."""
    own = [folder.identity, folder.config, folder.table, folder.retained, folder.knowledge, folder.side_effects]
    own += [folder.summary, folder.relations, folder.retention, folder.manifest]
    own += [folder.forgetting, folder.forgotten]
    own += folder.path.glob("*/history.json")
    own += (folder.path / "records").glob("*.parquet")
    for place in (folder.model, folder.adapter):
        own += [path for path in place.rglob("*") if path.suffix != ".md"]
    return sorted(path.relative_to(folder.path).as_posix() for path in own if path.is_file())


def find_run_folder(path: Path) -> RunFolder:
    """A finished run's folder. Raises `RunError` where there is none, or a file of it that is no weights is damaged."""
    folder = RunFolder(path)
    if not folder.identity.is_file():
        raise RunError(f"{path}: is not a run folder (it has no identity.json); name the folder that rote run wrote")
    if not folder.is_finished:
        _check_unheld(folder)
        raise RunError(f"{path}: this run is not finished; finish it with the command that began it and --resume")
    damaged = find_damage(folder, weights=False)
    if damaged:
        raise RunError(
            f"{damaged}: is not as the run wrote it; mend it with the command that began the run and --resume"
        )
    return folder


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    with replace_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def keep_json(path: Path, content: Any) -> None:
    """Write JSON for the store, whole or not at all, with its sum."""
    with keep_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON that a run wrote. Raises `RunError` when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read ({first_line(error)}); choose another --out to start afresh") from error


def _is_free(path: Path) -> bool:
    try:
        if path.exists() and not path.is_dir():
            raise RunError(f"{path}: is a file; --out takes a folder")
        if path.exists():
            # A run that was killed as it claimed the folder leaves no more than that.
            return all(is_draft(entry, of=RunFolder(path).identity) for entry in path.iterdir())
        _check_parent(path)
        return True
    except OSError as error:  # no permission to look, a name too long
        raise RunError(f"{path}: cannot be a run folder ({error.strerror or error}); choose another --out") from error


def _check_parent(path: Path) -> None:
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"{path}: cannot be made, as {parent} is no folder that can be written to; choose another --out")


def _first_difference(old: Any, new: Any, name: str = "") -> str | None:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            difference = _first_difference(old.get(key), new.get(key), f"{name}.{key}".lstrip("."))
            if difference:
                return difference
        return None
    return None if old == new else f"its {name} is {old!r}, not {new!r}"
