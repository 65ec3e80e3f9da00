"""Writing files so that they are there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rote.errors import RunError


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
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise _explain(path, error) from error


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a draft path to write; on success it takes the place of `path` in one rename. Raises as above."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        _flush(draft)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _explain(path, error) from error


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _explain(path: Path, error: OSError) -> RunError:
    reason = error.strerror or str(error)
    return RunError(f"{path}: cannot be written ({reason}); free some space or choose another --out")
