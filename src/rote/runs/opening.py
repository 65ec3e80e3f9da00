"""Who may use a run's folder: one run claims it, one process holds it, and it is read when it is finished and whole."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout

from rote.errors import RunError
from rote.runs.differences import find_difference
from rote.runs.files import is_draft, lock_file, replace_file
from rote.runs.folder import RunFolder, read_json, write_json
from rote.runs.ledger import LEDGER_FILE
from rote.runs.manifest import compute_content_hash
from rote.runs.shapes import Identity, Manifest, read_shaped
from rote.runs.sums import find_damage

_LOCK, _HOLDER = ".lock", ".holder"


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
    difference = find_difference(found, identity)
    if difference:
        about = f"its {difference.name} is {difference.old}, not {difference.new}"
        raise RunError(f"{path}: holds another run ({about}); choose another --out")
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


def find_run_folder(path: Path) -> RunFolder:
    """A finished run's folder. Raises `RunError` where there is none, or a file of it that is no weights is damaged."""
    folder = RunFolder(path)
    if not os.path.isfile(folder.identity):  # which does not raise where one may not look
        raise RunError(f"{path}: is not a run folder (it has no identity.json); name the folder that rote run wrote")
    if not folder.is_finished:
        _check_unheld(folder)
        raise RunError(f"{path}: this run is not finished; finish it with the command that began it and --resume")
    # A damaged ledger may be deleted, to go on without it; the command that began the run brings it back.
    damaged = find_damage(folder, weights=False, may_lack=(LEDGER_FILE,))
    if damaged:
        raise RunError(
            f"{damaged}: is not as the run wrote it; mend it with the command that began the run and --resume"
        )
    return folder


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


def find_run_of_model(model: Path) -> RunFolder:
    """The run that a model lies in. Raises `RunError` where it lies in none: nobody knows what it was taught."""
    beside = model.parent if model.name else model.absolute().parent  # as it was named: "." has no name
    for path in (beside, model):
        if RunFolder(path).identity.is_file():
            run = find_run_folder(path)
            _check_model(run, model)
            return run
    raise RunError(
        f"{model}: does not lie in the folder of a run, which has the table that was taught; name RUN/model of a "
        "finished run"
    )


def check_packs(folder: RunFolder, packs: Iterable[str]) -> None:
    """Raise `RunError` where a relation pack of a run is not as it was: it would ask what was never taught."""
    known: Mapping[str, Any] = read_shaped(folder.identity, Identity)["files"]
    for path in packs:
        if not Path(path).is_file() or compute_content_hash(Path(path)) != known.get(path):
            raise RunError(
                f"{folder.path}: its relation pack {path} is not there any more, or has changed; put it back as it was "
                "and give the command where the run was started"
            )


def _check_model(run: RunFolder, named: Path) -> None:
    """Raise `RunError` where a path is no model of a run that was taught, or not the one that can be made to forget."""
    if not run.model.is_dir():
        raise RunError(f"{run.path}: has no model/; it kept its adapters alone (keep: adapter): do it again with both")
    if named.resolve() not in (run.path.resolve(), run.model.resolve()):
        raise RunError(f"{named}: is not the model of its run; name {run.model}")
    if not read_shaped(run.manifest, Manifest)["stages"]:
        raise RunError(f"{run.path}: its model was trained on nothing, so there is nothing to forget; name another run")
