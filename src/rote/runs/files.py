"""Writing files so that they are there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from rote.errors import RunError

_DISK_ERRORS = (OSError, SafetensorError)
"""What a full disk raises; safetensors wraps the system's error in its own."""


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
    """Yield a draft path to write; on success it takes the place of `path` in one rename. Raises as above."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        _flush(draft)
        draft.replace(path)
    except BaseException as error:
        with suppress(OSError):  # a place that cannot be written to may not even be looked into
            draft.unlink()
        if isinstance(error, _DISK_ERRORS):
            raise _explain(path, error) from error
        raise


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _explain(path: Path, error: OSError | SafetensorError) -> RunError:
    reason = getattr(error, "strerror", None) or str(error)
    return RunError(f"{path}: cannot be written ({reason}); free some space or choose another --out")
