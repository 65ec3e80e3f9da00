"""Where the model of a run came from: the untrained model behind a row of runs, each of which went on from another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rote.runs.folder import RunFolder
from rote.runs.manifest import name_model
from rote.runs.shapes import Identity, read_shaped


def read_settings(folder: RunFolder) -> Mapping[str, Any]:
    """The configuration of a run. Raises `RunError` where its identity is damaged."""
    settings: Mapping[str, Any] = read_shaped(folder.identity, Identity).get("config", {})
    return settings


def find_base(folder: RunFolder) -> str:
    """The name of the untrained model, as far as the runs before it are still there."""
    source = str(read_settings(folder).get("model", ""))
    before = Path(source).parent
    for place in (before, folder.path.parent / before.name):  # the run may have been called from another folder
        earlier = RunFolder(place)
        if Path(source).name == earlier.model.name and earlier.identity.is_file():
            return find_base(earlier)
    return name_model(source)
