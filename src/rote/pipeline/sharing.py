"""Taking over the memorize phase of another run: experiments often differ in what comes after it only."""

import shutil
from collections.abc import Iterable
from typing import Any

from rote.runs.files import replace_file, replace_folder
from rote.runs.folder import RunFolder, read_json, write_json

_DECIDING = ("seed", "key_token", "memorize", "retain")
"""The settings that decide the weights after memorize, with the table and the model."""


def adopt_memorize(folder: RunFolder, others: Iterable[RunFolder]) -> None:
    """Copy the finished memorize phase of the first run among `others` that would have made the same weights.

    Nothing is done where `folder` has begun that phase itself.
    """
    if folder.checkpoints("memorize").exists():
        return
    wanted = _describe_memorize(read_json(folder.identity))
    for other in others:
        if other.history("memorize").is_file() and _describe_memorize(read_json(other.identity)) == wanted:
            _copy_memorize(other, folder)
            return


def _describe_memorize(identity: dict[str, Any]) -> dict[str, Any]:
    settings = {name: identity["config"][name] for name in _DECIDING}
    return {**settings, "table": identity["table"]["hash"], "model": identity["model"]["hash"]}


def _copy_memorize(source: RunFolder, target: RunFolder) -> None:
    spent = read_json(source.timings)
    write_json(
        target.timings, {label: spent[label] for label in ("write retained texts", "memorize") if label in spent}
    )
    if source.retained.is_file():
        with replace_file(target.retained) as draft:
            shutil.copyfile(source.retained, draft)
    with replace_folder(target.checkpoints("memorize")) as draft:
        shutil.copytree(source.checkpoints("memorize"), draft, dirs_exist_ok=True)
