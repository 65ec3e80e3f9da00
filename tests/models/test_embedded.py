"""The embedded model's files are the ones that were shipped, or the model is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.models.conftest import build_language_model

from rote.errors import ModelError
from rote.models import embedded
from rote.models.embedded import locate_embedded_model, write_checksums
from rote.models.loading import load_model
from rote.models.saving import save_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A tiny model in the place of the embedded one."""
    folder = tmp_path / "rote-tiny"
    save_model(build_language_model(), folder)
    write_checksums(folder)
    monkeypatch.setattr(embedded, "FOLDER", folder)
    monkeypatch.setattr(embedded, "CHECKSUMS", folder / "SHA256SUMS")
    locate_embedded_model.cache_clear()
    yield folder
    locate_embedded_model.cache_clear()


def test_whole_files_are_accepted(folder: Path) -> None:
    assert locate_embedded_model() == folder
    assert load_model().source == load_model("rote-tiny").source == "rote-tiny"
    listed = {line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip_bit, Path.unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_an_altered_or_missing_file_is_named(folder: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(folder / name)
    with pytest.raises(ModelError, match=f"the file {name} is missing or altered; install rote again"):
        load_model()


@pytest.mark.parametrize("content", ["", "\n", "abc\n", "0" * 64 + "\n"])
def test_a_damaged_list_of_checksums_is_noticed(folder: Path, content: str) -> None:
    (folder / "SHA256SUMS").write_text(content)
    with pytest.raises(ModelError, match="install rote again"):
        locate_embedded_model()


def test_an_installation_without_it_says_so(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(ModelError, match="rote-tiny is not in this installation; install rote again"):
        load_model()
