"""Writing files so that they are there whole or not at all."""

import os
import platform
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from rote.errors import RunError

_DISK_ERRORS = (OSError, SafetensorError)
"""What a full disk raises; safetensors wraps the system's error in its own."""
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
    return RunError(f"{path}: cannot be written ({reason}); free some space or choose another --out")
