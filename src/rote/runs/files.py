"""Writing files so that they are there whole or not at all."""

import errno
import hashlib
import logging
import os
import platform
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from rote.errors import RunError

_DISK_ERRORS = (OSError, SafetensorError)
"""What a full disk raises; safetensors wraps the system's error in its own."""
_ERROR_NUMBER = re.compile(r"os error (\d+)")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LOG = logging.getLogger(__name__)
_CHUNK = 1 << 20
_DRAFT = re.compile(r"\.([0-9a-f]{8})-([0-9]+)\.draft$")
"""How the draft of a file ends: whose it is, by machine and process."""


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; on success it takes the place of `path` in one rename.

    Raises `RunError` when the disk is full or the place cannot be written to.
    """
    draft = path.with_name(f"{path.name}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        yield draft
        for file in draft.rglob("*"):
            if file.is_file():
                _flush(file)
        shutil.rmtree(path, ignore_errors=True)
        draft.rename(path)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, _DISK_ERRORS):
            raise _explain(path, error) from error
        raise


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a draft path to write; on success it takes the place of `path` in one rename.

    Raises `RunError` when the disk is full or the place cannot be written to.

    Processes that write the same file at once, on one machine or several, have drafts of their own; the last one wins.
    """
    draft = path.with_name(f"{path.name}.{_hash_machine()}-{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_dead_drafts(path.parent)
        yield draft
        _flush(draft)
        draft.replace(path)
    except BaseException as error:
        with suppress(OSError):  # a place that cannot be written to may not even be looked into
            draft.unlink()
        if isinstance(error, _DISK_ERRORS):
            raise _explain(path, error) from error
        raise


def check_writable(path: Path, option: str = "--out") -> None:
    """Raise `RunError` for a place that no file can be written to; touches nothing. `option` is what named it."""
    if os.path.isdir(path):
        raise RunError(f"{path}: is a folder; {option} takes a file")
    above = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(f"{path}: cannot be written (nothing can be made in {above}); choose another {option}")


@contextmanager
def keep_file(path: Path) -> Iterator[Path]:
    """As `replace_file`, for what is read again by `is_kept`: a file NAME.sha256 beside it says what was written."""
    with replace_file(path) as draft:
        yield draft
        with replace_file(_locate_sum(path)) as note:  # there first, so that no file is ever without
            note.write_text(compute_sum(draft, _name_kept(path)), encoding="ascii")


def is_kept(path: Path) -> bool:
    """Whether a file is there as `keep_file` wrote it, under the name it was written by; one that is not is told."""
    if not path.is_file():
        return False
    note = _locate_sum(path)
    if not note.is_file():  # of a version that wrote none
        return False
    try:
        if note.read_bytes() == compute_sum(path, _name_kept(path)).encode():
            return True
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error})") from error
    _LOG.warning("%s: is damaged or not what was written there, and is made again", path)
    return False


def drop_file(path: Path) -> None:
    """Remove a file that was kept, where it is there."""
    path.unlink(missing_ok=True)
    _locate_sum(path).unlink(missing_ok=True)


def _locate_sum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _name_kept(path: Path) -> str:
    """A file is one of its folder: that of another stage in its place is found out."""
    return f"{path.parent.name}/{path.name}"


def compute_sum(path: Path, name: str) -> str:
    """SHA-256 over a name and the content of a file, in hexadecimal."""
    digest = hashlib.sha256(f"{name}\0".encode())
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def lock_file(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a file, and what it stands for, for this process alone; one that died holds nothing.

    Raises `RunError` where the place cannot be written to and, unless it may `wait`, `Timeout` where another process
    holds it.
    """
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:  # an error of the system, by its kind
        raise
    except OSError as error:
        raise _explain(path, error) from error
    try:
        yield
    finally:
        lock.release()


def is_draft(path: Path, *, of: Path) -> bool:
    """Whether a file is what a process was about to put in the place of another one, whoever's process it was."""
    return path.name.startswith(f"{of.name}.") and _DRAFT.search(path.name) is not None


def remove_dead_drafts(folder: Path) -> None:
    """Remove the drafts of files that killed processes of this machine left in a folder."""
    for draft in folder.glob("*.draft"):
        owner = _DRAFT.search(draft.name)
        # Nobody can know whether a process of another machine is alive: its drafts are left to that machine.
        if owner and owner[1] == _hash_machine() and not _is_alive(int(owner[2])):
            with suppress(OSError):
                draft.unlink()


def _hash_machine() -> str:
    return f"{zlib.crc32(platform.node().encode('utf-8')):08x}"


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 is no question
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # another user's
    return True


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _explain(path: Path, error: OSError | SafetensorError) -> RunError:
    reason = getattr(error, "strerror", None) or str(error)
    found = _ERROR_NUMBER.search(str(error))  # safetensors says it in words alone
    number = int(found[1]) if found else getattr(error, "errno", None)
    remedy = "free some space or choose another place" if number in _FULL else "choose another place"
    return RunError(f"{path}: cannot be written ({reason}); {remedy}")
