"""What single runs have to publish: they were exported, taught later tables, or made to forget."""

from collections.abc import Sequence
from pathlib import Path

from rote.results.entries import Entry
from rote.results.forget_entries import build_forget_entries, has_forgotten
from rote.results.later_entries import build_later_entries, taught_later_tables
from rote.results.served_entries import build_served_entries, is_served
from rote.runs.opening import find_run_folder

_KINDS = (is_served, taught_later_tables, has_forgotten)


def is_published(folder: Path) -> bool:
    """Whether a folder is that of a run with something to publish."""
    return any(is_kind(folder) for is_kind in _KINDS)


def build_run_entries(folders: Sequence[Path]) -> list[Entry]:
    """The entries of runs. Raises `RunError` where one is damaged or unfinished, or runs do not go together."""
    runs = [find_run_folder(folder) for folder in folders if is_published(folder)]
    return [
        *build_served_entries([run for run in runs if is_served(run.path)]),
        *build_later_entries([run for run in runs if taught_later_tables(run.path)]),
        *build_forget_entries([run for run in runs if has_forgotten(run.path)]),
    ]
