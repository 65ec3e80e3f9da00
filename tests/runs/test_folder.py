"""A run folder serves one run only."""

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.training.test_checkpoints import limit_files

from rote.errors import RunError
from rote.runs.folder import RunFolder, read_json, write_json
from rote.runs.manifest import compute_model_hash
from rote.runs.opening import find_run_folder, hold, open_run_folder

IDENTITY: dict[str, Any] = {
    "config": {"seed": 0, "memorize": {"epochs": 20, "learning_rate": 3e-4}, "relations": []},
    "table": {"name": "facts.csv", "hash": "abc"},
    "model": {"name": "rote-tiny", "hash": "def"},
}


def change(*keys: str, to: object) -> dict[str, Any]:
    """The identity of a run that differs in one thing."""
    identity = copy.deepcopy(IDENTITY)
    place = identity
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return identity


def finish(path: Path) -> RunFolder:
    folder = open_run_folder(path, IDENTITY, resume=False)
    write_json(folder.manifest, {"seed": 0})
    return folder


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("exists", [False, True])
def test_a_fresh_folder_is_claimed(tmp_path: Path, exists: bool, resume: bool) -> None:
    path = tmp_path / "runs" / "mine"
    if exists:
        path.mkdir(parents=True)
    folder = open_run_folder(path, IDENTITY, resume=resume)
    assert read_json(folder.identity) == IDENTITY
    assert [entry.name for entry in path.iterdir()] == ["identity.json"]


def test_the_same_run_goes_on_only_when_asked_to(tmp_path: Path) -> None:
    open_run_folder(tmp_path / "mine", IDENTITY, resume=False)
    with pytest.raises(RunError, match="mine: holds this run already; add --resume to go on with it, or choose"):
        open_run_folder(tmp_path / "mine", IDENTITY, resume=False)
    assert open_run_folder(tmp_path / "mine", IDENTITY, resume=True) == RunFolder(tmp_path / "mine")


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (change("config", "seed", to=1), r"its config\.seed is 0, not 1"),
        (change("config", "memorize", "epochs", to=3), r"its config\.memorize\.epochs is 20, not 3"),
        (change("config", "relations", to=["own.yaml"]), r"its config\.relations is \[\], not \['own\.yaml'\]"),
        (change("table", "hash", to="xyz"), r"its table\.hash is 'abc', not 'xyz'"),
        (change("model", "name", to="gpt2"), r"its model\.name is 'rote-tiny', not 'gpt2'"),
        (change("config", "new_setting", to=5), r"its config\.new_setting is None, not 5"),
        ({"config": IDENTITY["config"], "table": IDENTITY["table"]}, r"its model is \{.*\}, not None"),
    ],
)
def test_another_run_is_refused_and_the_difference_named(
    tmp_path: Path, other: dict[str, Any], difference: str, resume: bool
) -> None:
    path = tmp_path / "mine"
    folder = open_run_folder(path, IDENTITY, resume=False)
    with pytest.raises(RunError, match=rf"mine: holds another run \({difference}\); choose another --out"):
        open_run_folder(path, other, resume=resume)
    assert read_json(folder.identity) == IDENTITY


def test_of_long_values_the_part_that_differs_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    packs = [f"packs/relation_{number}.yaml" for number in range(500)]
    open_run_folder(path, change("config", "relations", to=packs), resume=False)
    other = change("config", "relations", to=[*packs[:250], "own.yaml", *packs[251:]])
    with pytest.raises(RunError) as caught:
        open_run_folder(path, other, resume=True)
    line = str(caught.value)
    assert re.search(r"its config\.relations is \.{3}.*relation_250\.yaml.*\.{3}, not \.{3}.*own\.yaml.*\.{3}\);", line)
    assert len(line) < 400


def test_the_name_of_a_setting_is_one_short_line(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    open_run_folder(path, change("config", "a\nb\x1b" * 100, to=1), resume=False)
    with pytest.raises(RunError) as caught:
        open_run_folder(path, IDENTITY, resume=True)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 400


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="is not empty and not a run folder; choose another --out"):
        open_run_folder(tmp_path, IDENTITY, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_whose_run_was_killed_as_it_claimed_it_is_free(tmp_path: Path, resume: bool) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from rote.runs import files, opening\n"
        "files._flush = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "opening.open_run_folder(Path(sys.argv[1]), {}, resume=False)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "mine")], check=False).returncode == -9
    (draft,) = (tmp_path / "mine").iterdir()
    assert draft.suffix == ".draft"
    folder = open_run_folder(tmp_path / "mine", IDENTITY, resume=resume)
    assert [path.name for path in folder.path.iterdir()] == ["identity.json"]


@pytest.mark.parametrize("name", ["thesis.txt.00000000-1.draft", "identity.json.draft"])
def test_a_draft_of_somebody_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("years of work")
    with pytest.raises(RunError, match="is not empty and not a run folder"):
        open_run_folder(tmp_path, IDENTITY, resume=True)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("a file")
    with pytest.raises(RunError, match="mine: is a file; --out takes a folder"):
        open_run_folder(path, IDENTITY, resume=True)
    assert path.read_text() == "a file"


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(RunError, match=r"file.mine.*cannot be"):
        open_run_folder(tmp_path / "file" / "mine", IDENTITY, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="File name too long"):
        open_run_folder(tmp_path / ("x" * 300), IDENTITY, resume=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_nobody_may_look_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may look everywhere, so the refusal is staged.
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(RunError, match="Permission denied"):
        open_run_folder(tmp_path, IDENTITY, resume=False)


def test_a_damaged_identity(tmp_path: Path) -> None:
    RunFolder(tmp_path).identity.write_text('{"config": ')
    with pytest.raises(RunError, match=r"identity\.json: cannot be read .*choose another --out to start afresh"):
        open_run_folder(tmp_path, IDENTITY, resume=True)


@pytest.mark.parametrize("content", ["[]", "null", '"x"'])
def test_an_identity_of_another_shape(tmp_path: Path, content: str) -> None:
    RunFolder(tmp_path).identity.write_text(content)
    with pytest.raises(RunError, match=r"identity\.json: is damaged; choose another --out to start afresh"):
        open_run_folder(tmp_path, IDENTITY, resume=True)


def test_a_finished_run_is_found(tmp_path: Path) -> None:
    folder = finish(tmp_path / "mine")
    assert folder.is_finished
    assert find_run_folder(tmp_path / "mine") == folder


def test_an_unfinished_run_is_told_how_to_go_on(tmp_path: Path) -> None:
    assert not open_run_folder(tmp_path / "mine", IDENTITY, resume=False).is_finished
    with pytest.raises(
        RunError, match=r"this run is not finished; finish it with the command that began it and --resume"
    ):
        find_run_folder(tmp_path / "mine")


@pytest.mark.parametrize("kind", ["missing", "empty", "foreign", "file"])
def test_what_is_not_a_run_is_not_found(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "file":
        path.write_text("a file")
    elif kind != "missing":
        path.mkdir()
    if kind == "foreign":
        (path / "manifest.json").write_text("{}")
    with pytest.raises(RunError, match=rf"{kind}: is not a run folder \(it has no identity\.json\)"):
        find_run_folder(path)


def test_every_file_of_a_run_has_its_own_place(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    plain = (name for name in vars(RunFolder) if isinstance(getattr(folder, name), Path))
    paths = [getattr(folder, name) for name in plain]
    paths += [folder.records(moment) for moment in ("before", "memorize")]
    paths += [folder.history(phase) for phase in ("memorize", "generalize")]
    assert len(paths) == len(set(paths)) > 10
    assert all(path.is_relative_to(tmp_path) for path in paths)


def test_a_model_is_known_by_its_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"weights")
    assert compute_model_hash("one", one) == compute_model_hash("two", two)  # wherever it lies
    (two / "model.safetensors").write_bytes(b"other weights")
    assert compute_model_hash("one", one) != compute_model_hash("two", two)
    assert compute_model_hash("gpt2", tmp_path / "gpt2") != compute_model_hash("phi", tmp_path / "phi")


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    folder = open_run_folder(tmp_path / "run", {}, resume=True)
    code = (
        "import sys; from pathlib import Path\n"
        "from rote.runs.folder import RunFolder; from rote.runs.opening import hold\n"
        "with hold(RunFolder(Path(sys.argv[1]))): print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=rf"process {other.pid} on .* is at work here; wait for it"), hold(folder):
            pass
        other.kill()
    with hold(folder):  # one that died holds nothing
        pass


def test_a_folder_that_cannot_be_locked_is_one_clear_line(tmp_path: Path) -> None:
    folder = open_run_folder(tmp_path / "run", {}, resume=True)
    (folder.path / ".lock").mkdir()  # as on a file system that may not be written to, for root too
    with pytest.raises(RunError, match=r"run/\.lock: cannot be written \(.*\); choose another place"), hold(folder):
        pass


@pytest.mark.parametrize("size", [0, 5])
def test_no_room_to_say_who_holds_a_folder_is_one_clear_line(size: int, tmp_path: Path) -> None:
    folder = open_run_folder(tmp_path / "run", {}, resume=True)
    with limit_files(size), pytest.raises(RunError, match=r"cannot be written .*; free some space"), hold(folder):
        pass
    with hold(folder):
        pass
    assert sorted(path.name for path in folder.path.iterdir()) == [".lock", "identity.json"]


def test_what_is_finished_can_be_read_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_run_folder(tmp_path / "run", {}, resume=True)
    with hold(folder):
        pass
    (folder.path / ".lock").chmod(0o444)
    monkeypatch.setattr("rote.runs.opening.os.access", lambda *_: False)  # root may write all the same
    monkeypatch.setattr("rote.runs.opening.lock_file", None)
    assert open_run_folder(folder.path, {}, resume=True) == folder
