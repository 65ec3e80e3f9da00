"""What single runs have to publish: they were exported, taught later tables, or made to forget."""

from collections.abc import Sequence
from pathlib import Path

from rote.experiments.entries import Entry
from rote.experiments.forget_entries import build_forget_entries, has_forgotten
from rote.experiments.later_entries import build_later_entries, taught_later_tables
from rote.experiments.served_entries import build_served_entry, is_served

_KINDS = (is_served, taught_later_tables, has_forgotten)


def is_published(folder: Path) -> bool:
    """Whether a folder is that of a run with something to publish."""
    return any(is_kind(folder) for is_kind in _KINDS)


def build_run_entries(folders: Sequence[Path], *, code: str) -> list[Entry]:
    """The entries of runs. Raises `RunError` where one is damaged."""
    return [
        *(build_served_entry(folder, code=code) for folder in folders if is_served(folder)),
        *build_later_entries(list(filter(taught_later_tables, folders)), code=code),
        *build_forget_entries(list(filter(has_forgotten, folders)), code=code),
    ]
