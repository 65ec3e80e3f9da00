"""Where the model of a run came from: the untrained model behind a row of runs, each of which went on from another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rote.errors import RunError
from rote.runs.folder import RunFolder
from rote.runs.manifest import name_model
from rote.runs.shapes import Identity, read_shaped


def read_settings(folder: RunFolder) -> Mapping[str, Any]:
    """The configuration of a run. Raises `RunError` where its identity is damaged."""
    settings: Mapping[str, Any] = read_shaped(folder.identity, Identity).get("config", {})
    return settings


def find_earlier(folder: RunFolder) -> RunFolder | None:
    """The run whose model a run began with; None where it was no run's, or that run is not there any more."""
    source = Path(str(read_settings(folder).get("model", "")))
    before = source.parent
    for place in (before, folder.path.parent / before.name):  # the run may have been called from another folder
        earlier = RunFolder(place)
        if source.name == earlier.model.name and earlier.identity.is_file():
            return earlier
    return None


def list_row(folder: RunFolder) -> list[RunFolder]:
    """A run and those before it, the last one first, as far as they are there. Raises `RunError` where one of them
    would come before itself, as its folder was given another's name."""
    row = [folder]
    while earlier := find_earlier(row[-1]):
        if earlier.path.resolve() in (run.path.resolve() for run in row):
            raise RunError(f"{folder.path}: began with {earlier.path}, which is another run by now; rename them back")
        row.append(earlier)
    return row


def find_base(folder: RunFolder) -> str:
    """The name of the untrained model, as far as the runs before it are still there."""
    return name_model(str(read_settings(list_row(folder)[-1]).get("model", "")))
