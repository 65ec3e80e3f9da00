"""Files and folders are there whole or not at all."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rote.errors import RunError, TableError
from rote.runs.files import check_writable, replace_file, replace_folder
from rote.runs.folder import read_json, write_json


@contextmanager
def full_disk(size: int = 4096) -> Iterator[None]:
    """No file may grow beyond a size: the system's own refusal, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def list_tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def fill(folder: Path, *, then: BaseException | None = None, **files: str) -> None:
    """Write files into a folder, and fail after that."""
    for name, content in files.items():
        (folder / name).write_text(content)
    if then:
        raise then


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "notes.txt"
    for content in ("old", "new"):
        with replace_file(path) as draft:
            draft.write_text(content)
            assert draft.parent == path.parent  # one file system, so one rename
        assert list_tree(tmp_path) == {"deep/down/notes.txt": content}


def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model"
    with replace_folder(path) as draft:
        fill(draft, weights="1", config="1")
    with replace_folder(path) as draft:
        assert list(draft.iterdir()) == []
        fill(draft, weights="2")
    assert list_tree(tmp_path) == {"deep/model/weights": "2"}


@pytest.mark.parametrize("error", [ValueError("a bug"), TableError("a mistake"), KeyboardInterrupt()], ids=repr)
def test_a_file_is_as_it_was_when_writing_fails(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with pytest.raises(type(error)) as caught, replace_file(path) as draft:
        fill(draft.parent, then=error, **{draft.name: "half"})
    assert caught.value is error
    assert list_tree(tmp_path) == {"notes.txt": "old"}


@pytest.mark.parametrize("error", [ValueError("a bug"), TableError("a mistake"), KeyboardInterrupt()], ids=repr)
def test_a_folder_is_as_it_was_when_writing_fails(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "model"
    path.mkdir()
    fill(path, weights="old", config="old")
    with pytest.raises(type(error)) as caught, replace_folder(path) as draft:
        fill(draft, then=error, weights="half")
    assert caught.value is error
    assert list_tree(tmp_path) == {"model/config": "old", "model/weights": "old"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_file_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")
    message = r"notes\.txt: cannot be written \(File too large\); free some space or choose another place"
    with full_disk(), pytest.raises(RunError, match=message), replace_file(path) as draft:
        draft.write_text("x" * 10_000)
    assert list_tree(tmp_path) == {"notes.txt": "old"}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR])
def test_a_place_that_may_not_be_written_to_needs_no_space(tmp_path: Path, number: int) -> None:
    message = rf"notes\.txt: cannot be written \({os.strerror(number)}\); choose another place$"
    with pytest.raises(RunError, match=message), replace_file(tmp_path / "notes.txt"):
        raise OSError(number, os.strerror(number))


def test_no_space_left_on_the_device(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No space left on device"), replace_file(tmp_path / "notes.txt"):
        Path("/dev/full").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    fill(path, weights="old")
    with full_disk(), pytest.raises(RunError, match=r"model: cannot be written \(File too large\)"):  # noqa: SIM117
        with replace_folder(path) as draft:
            fill(draft, config="new", weights="x" * 10_000)
    assert list_tree(tmp_path) == {"model/weights": "old"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_weights_on_a_full_disk(tmp_path: Path) -> None:
    """Safetensors has an error of its own, which is no OSError."""
    with full_disk(), pytest.raises(RunError, match=r"model: cannot be written \(.*File too large.*; free some"):  # noqa: SIM117
        with replace_folder(tmp_path / "model") as draft:
            save_file({"weights": np.zeros(10_000)}, draft / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_weights_in_a_place_that_is_not_there(tmp_path: Path) -> None:
    message = r"model: cannot be written \(.*No such file.*\); choose another place$"
    with pytest.raises(RunError, match=message), replace_folder(tmp_path / "model") as draft:
        save_file({"weights": np.zeros(10)}, draft / "none" / "model.safetensors")


def test_nothing_was_written_to_the_draft(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with pytest.raises(RunError, match="No such file"), replace_file(path):
        pass
    assert list_tree(tmp_path) == {"notes.txt": "old"}


def test_a_place_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("old")
    below = tmp_path / "notes.txt" / "deeper" / "out"
    with pytest.raises(RunError, match="cannot be written"), replace_file(below):
        pytest.fail("there is nowhere to write")
    with pytest.raises(RunError, match="cannot be written"), replace_folder(below):
        pytest.fail("there is nowhere to write")
    assert list_tree(tmp_path) == {"notes.txt": "old"}


def test_a_file_in_the_place_of_a_folder_stays(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text("a person's own")
    with pytest.raises(RunError, match="cannot be written"), replace_folder(path) as draft:
        fill(draft, weights="new")
    assert list_tree(tmp_path) == {"model": "a person's own"}


def test_a_folder_in_the_place_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    path.mkdir()
    fill(path, mine="1")
    with pytest.raises(RunError, match="cannot be written"), replace_file(path) as draft:
        draft.write_text("new")
    assert list_tree(tmp_path) == {"facts.csv/mine": "1"}


def test_what_a_killed_process_left_is_not_mixed_in(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:  # a kill: nothing is cleaned up
        patch.setattr("rote.runs.files.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(ValueError, match="killed"), replace_folder(tmp_path / "model") as draft:
            fill(draft, then=ValueError("killed"), half="1")
    assert "half" in {path.name for path in tmp_path.rglob("*")}
    with replace_folder(tmp_path / "model") as draft:
        fill(draft, weights="2")
    assert list_tree(tmp_path) == {"model/weights": "2"}


def test_two_processes_that_write_the_same_file_do_not_share_a_draft(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    with replace_file(path) as slow:
        slow.write_text("slow, the first half")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rote.runs.files.os.getpid", lambda: os.getppid())  # another process that is alive
            with replace_file(path) as quick:
                quick.write_text("quick")
        assert list_tree(tmp_path) == {"notes.txt": "quick", slow.name: "slow, the first half"}
        slow.write_text("slow")
    assert list_tree(tmp_path) == {"notes.txt": "slow"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    killed = "import os; from rote.runs.files import replace_file; from pathlib import Path\n"
    killed += "with replace_file(Path('notes.txt')) as draft: draft.write_text('half'); os.kill(os.getpid(), 9)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", killed], cwd=tmp_path, env=environment).returncode == -9
    assert list(list_tree(tmp_path).values()) == ["half"]
    with replace_file(tmp_path / "other.txt") as draft:
        draft.write_text("whole")
    assert list_tree(tmp_path) == {"other.txt": "whole"}


@pytest.mark.parametrize("name", ["notes.txt.draft", "my.draft", "notes.txt.00000000-999999999.draft"])
def test_what_may_be_somebody_elses_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a person's own, or of another machine")
    with replace_file(tmp_path / "notes.txt") as draft:
        draft.write_text("whole")
    assert (tmp_path / name).is_file()


def test_json_keeps_every_name(tmp_path: Path) -> None:
    content = {"Zoë": ["王芳", 'a "quote"', 1.5, None]}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"[" * 20_000])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(RunError, match=r"a\.json: cannot be read \(.*choose another --out to start afresh") as caught:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_a_name_that_no_file_can_have_is_one_clear_line(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 300) / "y.json"
    check_writable(place)
    with pytest.raises(RunError, match=r"y\.json: cannot be written \(File name too long\)"), replace_file(place):
        pass
