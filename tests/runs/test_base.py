"""Where the model of a run came from."""

from pathlib import Path

import pytest

from rote.errors import RunError
from rote.runs.base import find_base, list_row
from rote.runs.folder import RunFolder, write_json

IDENTITY = {"table": {"name": "facts"}, "model": {"name": "m"}, "files": {}, "loading": {}}


def write_run(path: Path, model: str) -> RunFolder:
    """As much of a run as says which model it began with."""
    folder = RunFolder(path)
    path.mkdir()
    write_json(folder.identity, {**IDENTITY, "config": {"model": model}})
    return folder


def test_the_first_of_a_row_names_the_untrained_model(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first", "org/base")
    second = write_run(tmp_path / "second", str(first.model))
    assert [run.path for run in list_row(second)] == [second.path, first.path]
    assert find_base(second) == "org/base"


def test_a_run_under_the_name_of_the_one_it_began_with_is_said(tmp_path: Path) -> None:
    mine = write_run(tmp_path / "mine", "somewhere/mine/model")
    with pytest.raises(RunError, match=r"mine: began with .*mine, which is another run by now; rename them back"):
        list_row(mine)
