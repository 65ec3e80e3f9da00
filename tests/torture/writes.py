"""Every moment at which a process changes what lies on the disk, and the death of the process at one of them.

What Python does is seen by wrappers around the few calls through which Rote changes a folder. Files that a library
writes itself (weights, Parquet) are seen when they are flushed: a file cut in half at that moment is what a kill in
the middle of its writing leaves behind.
"""

import builtins
import io
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DRAFT = re.compile(r"\.[0-9a-f]{8}-\d+\.draft$")
_NAME = re.compile(r"\b[0-9a-f]{16}\b|\d{8}")
"""What is called after its content, or its step."""
_AFTER = ("replace", "rename")
"""Calls after which something is on the disk that was not there before."""


@dataclass
class Watch:
    """Counts the moments below a folder; at the one that is given the process kills itself."""

    root: Path
    death: int = -1
    """The number of the moment, from 0; none where it is below."""
    told: Callable[[str], None] = lambda name: None
    count: int = field(default=0, init=False)

    def begin(self) -> None:
        """Put the wrappers in place, in the process that is to die."""
        self._root = os.path.realpath(self.root) + os.sep
        for name in ("replace", "rename", "unlink", "remove", "mkdir", "rmdir"):
            setattr(os, name, self._wrap(name, getattr(os, name)))
        setattr(os, "fsync", self._wrap_fsync(os.fsync))  # noqa: B010 - by its name, as those above
        os.open = self._wrap_open(os.open, _has_write_flags)
        builtins.open = io.open = self._wrap_open(builtins.open, _is_write_mode)

    def _find(self, path: Any, dir_fd: int | None = None) -> str | None:
        """Where a path or an open file lies below the folder; None where it lies elsewhere."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        elif dir_fd is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), os.fspath(path))
        whole = os.path.abspath(os.fspath(path))
        return whole.removeprefix(self._root) if whole.startswith(self._root) else None

    def _note(self, what: str, path: str) -> None:
        self.told(f"{what} {describe_path(path)}")
        if self.count == self.death:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def _wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *arguments: Any, **options: Any) -> Any:
            found = self._find(path, options.get("dir_fd"))
            if found is None:
                return call(path, *arguments, **options)
            self._note(f"before {name}", found)
            result = call(path, *arguments, **options)
            if name in _AFTER:
                self._note(f"after {name}", found)
            return result

        return wrapped

    def _wrap_fsync(self, call: Callable[[int], None]) -> Callable[[int], None]:
        def wrapped(number: int) -> None:
            found = self._find(number)
            if found is not None:
                if self.count == self.death:
                    os.truncate(os.path.join(self._root, found), os.fstat(number).st_size // 2)
                self._note("during write", found)
                self._note("before fsync", found)
            call(number)
            if found is not None:
                self._note("after fsync", found)

        return wrapped

    def _wrap_open(self, call: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        def wrapped(path: Any, *arguments: Any, **options: Any) -> Any:
            found = None if isinstance(path, int) or not writes(*arguments, **options) else self._find(path)
            if found is None:
                return call(path, *arguments, **options)
            self._note("before open", found)
            file = call(path, *arguments, **options)
            self._note("after open", found)
            return file

        return wrapped


def _is_write_mode(mode: str = "r", *_: Any, **__: Any) -> bool:
    return bool(set(mode) & set("wax+"))


def _has_write_flags(flags: int, *_: Any, **__: Any) -> bool:
    return bool(flags & os.O_CREAT)


def describe_path(path: str) -> str:
    """A path without what differs from run to run, or from one file of a kind to the next."""
    return _NAME.sub("*", _DRAFT.sub(".draft", path))
