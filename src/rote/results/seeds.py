"""Which runs may be averaged: those that differ in their seed, their model and their table's file, and in nothing else.

What they were told to do is in `identity.json`; of a row of runs, each of which went on from another, all are compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rote.errors import RunError
from rote.evaluation.statistics import SHARE, average_seeds
from rote.facts.reading import load_table
from rote.figures import Figure, read_figure
from rote.runs.base import list_row
from rote.runs.differences import Difference, find_difference
from rote.runs.folder import RunFolder
from rote.runs.shapes import Identity, Measured, read_shaped
from rote.runs.store import hash_content

_SETTINGS = ("config", "forget", "method", "files", "loading")
"""Of `identity.json` what says how it was done."""
_PLACES = ("config.model", "config.table.file")
_FREE = (*_PLACES, "config.seed", "forget.seed")


@dataclass(frozen=True)
class Seed:
    """A run among others that differ from it by their seed alone."""

    folder: RunFolder
    found: Mapping[str, Any]
    """What it has to publish."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What has to be the same beside its settings."""


def check_seeds(seeds: Sequence[Seed]) -> None:
    """Raise `RunError` where a run was given twice, or does something else than the first one."""
    known: dict[str, RunFolder] = {}
    for seed in seeds:
        first, folder = seeds[0], seed.folder
        before = known.setdefault(_name(folder), folder)
        if before is not folder:
            raise RunError(f"{folder.path}: is the same run as {before.path}; add it once")
        for old, new in zip(list_row(first.folder), list_row(folder), strict=False):  # as far as both are there
            refuse_other(old, new, find_difference(_read_settings(old, _FREE), _read_settings(new, _FREE)))
        refuse_other(first.folder, folder, find_difference(first.about, seed.about))


def average_rows(rows: Iterable[Mapping[str, Any] | None]) -> Figure | None:
    """The mean share of rows of figures, one of each seed; None where none has a figure."""
    figures = [figure for figure in (read_figure(row) for row in rows if row) if figure]
    return average_seeds(figures, within=SHARE) if figures else None


def refuse_other(old: RunFolder, new: RunFolder, difference: Difference | None) -> None:
    """Raise `RunError` where there is a difference."""
    if difference:
        raise RunError(
            f"{new.path}: is no other seed of {old.path}: its {difference.name} is {difference.new}, not "
            f"{difference.old}; add runs of one kind at a time, each kind with an --out of its own"
        )


def list_relations(table: Path) -> list[str]:
    """The names of a table's relations. Raises `TableError` where it is damaged."""
    return sorted(load_table(table).relations)


def find_code(folders: Iterable[RunFolder]) -> str:
    """The version of the code that measured all of some runs; empty where several did, or one does not say."""
    codes = {read_shaped(run.manifest, Measured).get("code", "") if run.is_finished else "" for run in folders}
    return codes.pop() if len(codes) == 1 else ""


def _name(folder: RunFolder) -> str:
    """A name for what a run did: its settings with the seed, and what the table and the model hold."""
    identity = read_shaped(folder.identity, Identity)
    return hash_content([_read_settings(folder, _PLACES), *(identity[key].get("hash") for key in ("table", "model"))])


def _read_settings(folder: RunFolder, free: Sequence[str]) -> dict[str, Any]:
    identity = read_shaped(folder.identity, Identity)
    return {key: _select(identity[key], key, free) for key in _SETTINGS if key in identity}


def _select(content: Any, name: str, free: Sequence[str]) -> Any:
    """Nested settings without those of some names."""
    if not isinstance(content, Mapping):
        return content
    inside = {key: f"{name}.{key}" for key in content}
    return {key: _select(content[key], place, free) for key, place in inside.items() if place not in free}
