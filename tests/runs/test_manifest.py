"""Hashes that names are made of: another one where the result may be another one, and only there."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rote.runs import manifest
from rote.runs.manifest import compute_code_hash, compute_model_hash, find_snapshot, name_model

SOURCES = Path(manifest.__file__).parents[1]
ROOMS = ("encoding", "facts", "figures")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of some rooms."""
    for room in ("encoding", "facts"):
        shutil.copytree(SOURCES / room, tmp_path / "rote" / room, ignore=shutil.ignore_patterns("__pycache__"))
    for module in ("figures.py", "errors.py"):
        shutil.copy(SOURCES / module, tmp_path / "rote" / module)
    return tmp_path / "rote"


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(tree: Path) -> None:
        text = (tree / name).read_text(encoding="utf-8")
        assert old in text
        (tree / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def add_module(tree: Path) -> None:
    (tree / "encoding" / "other.py").write_text("x = 1\n")


def compile_module(tree: Path) -> None:
    (tree / "encoding" / "__pycache__").mkdir()
    (tree / "encoding" / "__pycache__" / "batch.pyc").write_bytes(b"x")


SAME = {
    "nothing": lambda _: None,
    "a module's docstring": edit("encoding/example.py", '"""', '"""Another word. '),
    "a comment": edit("encoding/example.py", "\n\n\n", "\n\n\n# why\n"),
    "a docstring of a function": edit("encoding/example.py", '    """', '    """Another word. '),
    "the docstring of a field": edit("facts/text.py", '    """The character', '    """A character'),
    "another room": edit("errors.py", "class", "x = 1\n\n\nclass"),
    "a compiled module": compile_module,
}
OTHER = {
    "a constant": edit("encoding/example.py", "IGNORE = -100", "IGNORE = -101"),
    "a module": add_module,
    "a module of one file": edit("figures.py", "\n\n\n", "\n\n\nx = 1\n"),
    "a pack": edit("facts/packs/mother.yaml", "mother", "mom"),
    "a table": edit("facts/world/mother.csv", ",", ",The "),
}


@pytest.mark.parametrize("name", SAME)
def test_words_about_the_code_do_not_change_its_hash(name: str, tree: Path) -> None:
    SAME[name](tree)
    assert compute_code_hash(ROOMS, root=tree) == compute_code_hash(ROOMS)


@pytest.mark.parametrize("name", OTHER)
def test_what_the_code_does_changes_its_hash(name: str, tree: Path) -> None:
    OTHER[name](tree)
    assert compute_code_hash(ROOMS, root=tree) != compute_code_hash(ROOMS)


def test_only_the_rooms_that_are_named_count_in_any_order() -> None:
    assert compute_code_hash(("facts", "encoding")) == compute_code_hash(["encoding", "facts"])
    assert compute_code_hash(("facts", "encoding")) != compute_code_hash(("facts",))
    with pytest.raises(FileNotFoundError):
        compute_code_hash(("no_such_room",))


def build_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_weights_are_read_again_only_when_they_changed(tmp_path: Path) -> None:
    folder = build_folder(tmp_path / "model")
    weights, first = folder / "model.safetensors", compute_model_hash("model", folder)
    state = weights.stat()
    weights.write_bytes(b"WEIGHTS")
    os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert compute_model_hash("model", folder) == first, "nothing says that they changed, so they are not read"
    os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    second = compute_model_hash("model", folder)
    assert second != first
    weights.write_bytes(b"longer weights")
    os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert compute_model_hash("model", folder) not in (first, second)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with one model at two commits."""
    place = tmp_path / "hub" / "models--some--model"
    for commit, ref in (("a" * 40, "main"), ("b" * 40, "old")):
        (place / "snapshots" / commit).mkdir(parents=True)
        (place / "snapshots" / commit / "config.json").write_text("{}")
        (place / "refs").mkdir(exist_ok=True)
        (place / "refs" / ref).write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return place


def test_a_model_of_the_hub_is_known_by_its_commit(hub: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "some" / "model"
    assert compute_model_hash("some/model", nowhere) == "a" * 40
    assert compute_model_hash("some/model", nowhere, "old") == "b" * 40
    assert compute_model_hash("some/model", nowhere, "b" * 40) == "b" * 40
    assert find_snapshot("some/model") == hub / "snapshots" / ("a" * 40)
    unknown = compute_model_hash("some/other", nowhere)
    assert len(unknown) == 64
    assert unknown != compute_model_hash("some/third", nowhere)
    assert find_snapshot("no name/of the hub/at all") is None


def test_a_folder_is_named_without_its_place(tmp_path: Path) -> None:
    assert name_model(str(tmp_path)) == tmp_path.name
    assert name_model("some/model") == "some/model"
